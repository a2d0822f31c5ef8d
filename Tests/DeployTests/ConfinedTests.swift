// The programs as a container runtime starts them: runc, which Docker and Kubernetes use, with the
// image's files and the settings of the pod, under the profile of deploy/seccomp.

import Foundation
import Support
import Testing

/// A container: a folder with a root and what runc is told of it.
private final class Container {
    private let folder: TemporaryFolder
    private let name = "ringback-" + UUID().uuidString
    private let program: Program

    static let programs = Place.root + "/.build-static/release"
    /// Namespaces are root's.
    static var canRun: Bool {
        FileManager.default.isExecutableFile(atPath: programs + "/ringload")
            && FileManager.default.isExecutableFile(atPath: Tools.folder + "/runc")
            && getuid() == 0
    }

    /// Starts a command as nobody in particular, who may write nowhere and has no capability.
    init(_ command: [String], profile: String) throws {
        folder = try TemporaryFolder()
        let files = try Program.shell(
            """
            set -euo pipefail
            cd \(folder.path) && mkdir -p root/{proc,dev,usr/bin}
            cp \(Self.programs)/ring{back,load} /usr/bin/unshare root/usr/bin/
            ldd root/usr/bin/* | grep -o '/lib[^ ]*' | sort -u |
                xargs -I{} install -D {} root/{}
            """
        )
        try #require(files.status == 0, "\(files.errors)")
        let arguments = command.map { "\"\($0)\"" }.joined(separator: ",")
        let limits = ["NOFILE": 20_000, "MEMLOCK": 8 << 20].map {
            #"{"type": "RLIMIT_\#($0)", "soft": \#($1), "hard": \#($1)}"#
        }
        try folder.write(
            """
            {"ociVersion": "1.0.2",
             "process": {"args": [\(arguments)], "cwd": "/", "user": {"uid": 65532, "gid": 65532},
              "noNewPrivileges": true, "capabilities": {},
               "rlimits": [\(limits.joined(separator: ","))]},
             "root": {"path": "root", "readonly": true},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
             "linux": {"seccomp": \(profile),
              "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}}
            """,
            to: "config.json"
        )
        program = try Program([
            Tools.folder + "/runc", "--root", folder.path + "/state", "run",
            "--bundle", folder.path, name,
        ])
    }

    /// Where it serves.
    func address() throws -> String {
        let deadline = Date().addingTimeInterval(20)
        while Date() < deadline {
            if let match = program.errorsSoFar.firstMatch(of: /echo on (\S+)/) {
                return String(match.output.1)
            }
            usleep(10_000)
        }
        throw Program.TimedOut(what: [program.errorsSoFar])
    }

    func wait() throws -> Ended { try program.wait() }

    func stop() throws -> Ended {
        _ = try Program.run(
            Tools.folder + "/runc",
            "--root",
            folder.path + "/state",
            "kill",
            name,
            "TERM"
        )
        return try program.wait()
    }
}

@Suite(.enabled(if: Container.canRun, "make static and root are needed"))
struct ConfinedTests {
    private let profile = try! Tools.text("seccomp/ringback.json")

    @Test(arguments: [("uring", "io_uring"), ("epoll", "epoll")])
    func theProfileAllowsWhatTheyDo(_ backend: String, _ called: String) throws {
        try serve(backend, called, under: profile)
    }

    /// The filter of the unit, as a profile.
    @Test(arguments: [("uring", "io_uring"), ("epoll", "epoll")])
    func theUnitAllowsWhatTheyDo(_ backend: String, _ called: String) throws {
        var allowed: Set<String> = []
        let unit = try Tools.text("systemd/ringback.service")
        for line in unit.matches(of: /\nSystemCallFilter=(~?)(.*)/) {
            let calls = try line.output.2.split(separator: " ").flatMap { try expanded(String($0)) }
            if line.output.1 == "~" { allowed.subtract(calls) } else { allowed.formUnion(calls) }
        }
        #expect(allowed.count > 250 && !allowed.contains("mount"))
        // Without it a worker serves all the same, on whichever CPU.
        #expect(allowed.contains("sched_setaffinity"))
        // What runc itself does before it starts the program, systemd does before the filter holds.
        allowed.formUnion(["capset", "setgroups", "setuid"])
        let names = allowed.sorted().map { "\"\($0)\"" }.joined(separator: ",")
        try serve(
            backend,
            called,
            under: """
                {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                 "syscalls": [{"names": [\(names)], "action": "SCMP_ACT_ALLOW"}]}
                """
        )
    }

    /// A call, or what systemd says that a group is.
    private func expanded(_ call: String) throws -> [String] {
        guard call.hasPrefix("@") else { return [call] }
        let members = try Program.run("systemd-analyze", "syscall-filter", call).output
            .split(separator: "\n").dropFirst().map { $0.drop { $0 == " " } }
        return try members.filter { !$0.hasPrefix("#") }.flatMap { try expanded(String($0)) }
    }

    /// Both programs, every byte checked.
    private func serve(_ backend: String, _ called: String, under profile: String) throws {
        let server = try Container(
            [
                "/usr/bin/ringback", "echo", "--backend", backend, "--workers", "1",
                "--listen", "127.0.0.1:0", "--max-connections", "1000",
            ],
            profile: profile
        )
        let load = try Container(
            [
                "/usr/bin/ringload", "rr", try server.address(), "--backend", backend, "--verify",
                "--duration", "300ms", "--warmup", "0s", "--ignore-audit",
            ],
            profile: profile
        )
        let loaded = try load.wait()
        #expect(loaded.status == 0, "\(loaded.output)\(loaded.errors)")
        #expect(loaded.output.contains("lost=0 foreign=0 reordered=0"), "\(loaded.output)")
        let ended = try server.stop()
        #expect(ended.status == 0)
        #expect(ended.errors.contains("by \(called)"), "\(ended.errors)")
    }

    /// What the profile is for: without its three calls there is no ring, and the service says why.
    @Test func withoutTheRingsCallsEpollServes() throws {
        let server = try Container(
            ["/usr/bin/ringback", "echo", "--workers", "1", "--listen", "127.0.0.1:0"],
            profile: profile.replacing("\"io_uring_setup\"", with: "\"io_setup\"")
        )
        _ = try server.address()
        let ended = try server.stop()
        #expect(ended.status == 0 && ended.errors.contains("by epoll"), "\(ended.errors)")
    }

    /// A namespace of users, with which attacks on the kernel like to begin.
    @Test func whatReachesFurtherIsRefused() throws {
        let command = ["/usr/bin/unshare", "--user", "/usr/bin/ringback", "--version"]
        let ended = try Container(command, profile: profile).wait()
        #expect(ended.status == 1 && ended.errors.contains("not implemented"), "\(ended.errors)")
    }
}
