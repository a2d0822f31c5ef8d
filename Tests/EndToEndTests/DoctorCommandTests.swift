// `ringback doctor` as an operator runs it: what it says of this host, and of hosts where something
// is taken away from it.

import Foundation
import Support
import Testing

struct DoctorCommandTests {
    private struct Finding: Decodable {
        let subject: String
        let verdict: String
        let found: String
        let remedy: String?
        let link: String?
    }

    private func doctor(_ before: [String], _ options: [String]) throws -> (Ended, [Finding]) {
        let program = try Program(before + ["ringback", "doctor", "--json"] + options)
        let ended = try program.wait()
        return (ended, try JSONDecoder().decode([Finding].self, from: Data(ended.output.utf8)))
    }

    /// The exit status is that of the worst finding.
    @Test func saysWhatItFinds() throws {
        let (ended, findings) = try doctor([], ["--max-connections", "100", "--workers", "1"])
        #expect(findings.count >= 8)
        let worst = findings.contains { $0.verdict == "costs" } ? 3 : 0
        #expect(ended.status == Int32(worst), "\(ended.output)")
        #expect(!findings.contains { $0.verdict == "broken" })
    }

    /// Runs it where one thing is taken away, and wants that to be the only one that is worse than
    /// without: named, with its remedy, and with a link that leads somewhere.
    private func names(
        _ subject: String,
        _ verdict: String,
        _ words: String,
        remedy: String,
        behind before: [String],
        _ options: [String] = []
    ) throws {
        let options = ["--max-connections", "1000", "--workers", "1"] + options
        let usual = try doctor([], options).1.filter { $0.verdict != "fine" }.map(\.subject)
        let (ended, findings) = try doctor(before, options)
        let all = findings.filter { $0.verdict != "fine" }
        let new = all.filter { !usual.contains($0.subject) }
        #expect(new.map(\.subject) == [subject] && new.map(\.verdict) == [verdict], "\(ended)")
        #expect(ended.status == (all.contains { $0.verdict == "broken" } ? 1 : 3))
        let finding = try #require(new.first)
        #expect(finding.found.contains(words), "\(finding)")
        #expect(finding.remedy?.contains(remedy) == true, "\(finding)")
        let parts = try #require(finding.link).split(separator: "#").map(String.init)
        #expect(try Page(parts[0]).anchors.contains(parts[1]), "\(finding)")

        // The same for people.
        let text = try Program(before + ["ringback", "doctor"] + options).wait()
        #expect(text.status == ended.status)
        #expect(text.output.contains("to mend it: \(finding.remedy ?? "-")"), "\(text.output)")
        #expect(text.output.contains("more: \(finding.link ?? "-")"), "\(text.output)")
    }

    @Test func tooFewDescriptors() throws {
        try names(
            "descriptors",
            "broken",
            "300",
            remedy: "LimitNOFILE=1160",
            behind: ["prlimit", "--nofile=300"]
        )
    }

    /// The setting is the network namespace's, so it can be set for real.
    @Test(.enabled(if: getuid() == 0, "root makes namespaces"))
    func tooShortAQueue() throws {
        try names(
            "somaxconn",
            "costs",
            "128",
            remedy: "sysctl -w net.core.somaxconn=4096",
            behind: [
                "unshare", "--net", "sh", "-c",
                "sysctl -qw net.core.somaxconn=128; exec \"$0\" \"$@\"",
            ]
        )
    }

    /// As a user without rights; whoever has CAP_IPC_LOCK may lock what he likes.
    @Test(.enabled(if: getuid() == 0, "root becomes somebody else"))
    func tooLittleLockedMemory() throws {
        let copy = try AnybodysCopy()
        let before = [
            "env", "PATH=\(copy.folder):/usr/bin:/bin", "prlimit", "--memlock=65536", "setpriv",
            "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all",
        ]
        try names(
            "locked memory",
            "costs",
            "64 KiB",
            remedy: "LimitMEMLOCK=128K",
            behind: before
        )
    }

    /// The programs where users may run them who cannot look into our folder.
    private final class AnybodysCopy {
        let folder = NSTemporaryDirectory() + "ringback-" + UUID().uuidString

        init() throws {
            let copied = try Program.shell(
                "install -D -m 755 -t \(folder) \(Place.binaries)/ringback && chmod 755 \(folder)"
            )
            try #require(copied.status == 0, "\(copied.errors)")
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// Under a filter of the kernel, as container runtimes have one.
    @Test(arguments: [([], "costs"), (["--backend", "uring"], "broken")])
    func aForbiddenRing(_ options: [String], _ verdict: String) throws {
        try names(
            "io_uring",
            verdict,
            "seccomp",
            remedy: "allow io_uring_setup",
            behind: ["python3", "-c", Self.filter],
            options
        )
    }

    /// Runs a command for which io_uring_setup(2), number 425, ends in EPERM: a program of four
    /// steps for seccomp(2), which looks at the number, and returns SECCOMP_RET_ERRNO or _ALLOW.
    private static let filter = """
        import ctypes, os, struct, sys
        steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
        program = struct.pack("HQ", len(steps), ctypes.addressof(code))
        libc = ctypes.CDLL(None)
        assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
        assert libc.prctl(22, 2, program, 0, 0) == 0, "PR_SET_SECCOMP"
        os.execvp(sys.argv[1], sys.argv[1:])
        """

    /// The setting is the whole host's, so it is made up: the call ends as it would, and the file
    /// says so.
    @Test(.enabled(if: getuid() == 0, "root mounts"))
    func aRingThatTheSysctlForbids() throws {
        let level = TemporaryFile()
        level.handle.write(Data("2\n".utf8))
        try names(
            "io_uring",
            "broken",
            "sysctl kernel.io_uring_disabled",
            remedy: "sysctl -w kernel.io_uring_disabled=0",
            behind: [
                "unshare", "--mount", "sh", "-c",
                "mount --bind \(level.path) /proc/sys/kernel/io_uring_disabled; exec \"$0\" \"$@\"",
                "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup",
                "-e", "inject=io_uring_setup:error=EPERM",
            ],
            ["--backend", "uring"]
        )
    }

    @Test func badInputIsAUsageError() throws {
        let program = try Program(["ringback", "doctor", "--max-connections", "0"])
        let ended = try program.wait()
        #expect(ended.status == 2)
        #expect(ended.errors.contains("--max-connections must be at least 1"))
    }

    @Test func writesTheProfileOnceUnlessForced() throws {
        let file = TemporaryFile()
        let first = try Program.run("ringback", "doctor", "--write-seccomp", file.path)
        #expect(first.status == 1)
        #expect(first.errors.contains("'\(file.path)' is there already; --force writes over it"))
        #expect(file.text == "")

        let forced = try Program.run(
            "ringback",
            "doctor",
            "--write-seccomp",
            file.path,
            "--force"
        )
        #expect(forced.status == 0 && forced.output == "" && forced.errors == "")
        let written = try String(contentsOfFile: file.path, encoding: .utf8)
        let profile = Place.root + "/deploy/seccomp/ringback.json"
        #expect(try written == String(contentsOfFile: profile, encoding: .utf8))
    }

    @Test func saysWhatItCannotWrite() throws {
        let ended = try Program.run("ringback", "doctor", "--write-systemd", "/nowhere/a.conf")
        #expect(ended.status == 1)
        #expect(ended.errorLines.count == 1)
        #expect(ended.errors.contains("'/nowhere/a.conf': No such file or directory"))
    }

    /// On stdout, with the limits that the options ask for.
    @Test func theDropInFollowsTheOptions() throws {
        let ended = try Program.run(
            "ringback",
            "doctor",
            "--write-systemd",
            "-",
            "--max-connections",
            "50000",
            "--relay",
            "--workers",
            "1"
        )
        #expect(ended.status == 0)
        #expect(ended.output.contains("\n[Service]\nLimitNOFILE=100160\n"))
        #expect(ended.output.contains("\nSystemCallFilter="))
    }
}
