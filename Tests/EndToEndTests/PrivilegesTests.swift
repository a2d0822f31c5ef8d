// The server as root starts it, with somebody else to be: what each of its threads may still do,
// and that everything goes on as for root: it serves, it reloads, it opens its log anew, it hands
// over to a successor.

import Foundation
import Net
import Support
import Testing

/// What the kernel says of a thread (proc_pid_status(5)).
private struct ThreadStatus {
    let name: String
    private let fields: [String: String]

    /// Those of a process.
    static func all(_ process: Int32) throws -> [ThreadStatus] {
        let folder = "/proc/\(process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { thread in
            // A thread may have ended by now.
            guard
                let text = try? String(
                    contentsOfFile: "\(folder)/\(thread)/status",
                    encoding: .utf8
                )
            else { return nil }
            let pairs = text.split(separator: "\n").map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                let words = parts.dropFirst().joined().split(whereSeparator: \.isWhitespace)
                return (String(parts[0]), words.joined(separator: " "))
            }
            return ThreadStatus(fields: Dictionary(pairs) { $1 })
        }
    }

    private init(fields: [String: String]) {
        name = fields["Name"] ?? ""
        self.fields = fields
    }

    subscript(_ field: String) -> String? { fields[field] }

    /// Filters of calls that hold for it.
    var filterCount: Int { fields["Seccomp_filters"].flatMap { Int($0) } ?? -1 }
}

/// A folder of the user's, with the server and a configuration file that it may read.
private final class ServedFolder {
    let path = NSTemporaryDirectory() + "ringback-" + UUID().uuidString
    var file: String { path + "/ringback.yaml" }
    var log: String { path + "/access.log" }
    /// A copy of the server: the user may not come to where the sources are.
    let server: String

    init() throws {
        server = path + "/ringback"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        chown(path, 65534, 65534)
        try FileManager.default.copyItem(atPath: Place.binaries + "/ringback", toPath: server)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String) throws {
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        chmod(file, 0o644)
    }

    func serve(_ text: String, _ flags: String...) throws -> Program {
        try write(text)
        let program = try Program([server, "serve", "--config", file] + flags)
        try program.waitUntilItSays("try: nc")
        return program
    }
}

@Suite(
    .serialized,
    .enabled(if: Place.hasBinaries && getuid() == 0, "root and the executables are needed"),
    .timeLimit(.minutes(2))
)
struct PrivilegesTests {
    private func echoes(_ port: UInt16) throws -> Bool {
        let client = try TestClient(SocketAddress(parsing: "127.0.0.1:\(port)"))
        try client.send([1, 2, 3])
        return try client.receive(exactly: 3) == [1, 2, 3]
    }

    /// What holds for these tests already, in a container say.
    private var ownFilterCount: Int {
        get throws { try ThreadStatus.all(getpid()).first?.filterCount ?? 0 }
    }

    private static func port() -> UInt16 { UInt16.random(in: 20000..<30000) }

    /// Each thread of a process is nobody's, and may do nothing more.
    private func expectNobody(
        _ process: Int32,
        threads names: Set<String>,
        groups: String
    ) throws {
        let threads = try ThreadStatus.all(process)
        #expect(names.isSubset(of: threads.map(\.name)), "\(threads.map(\.name))")
        for thread in threads {
            let name = thread.name
            #expect(thread["Uid"] == "65534 65534 65534 65534", "\(name)")
            #expect(thread["Gid"] == "65534 65534 65534 65534", "\(name)")
            #expect(thread["Groups"] == groups, "\(name)")
            for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
                #expect(thread[set] == "0000000000000000", "\(set) of \(name)")
            }
            #expect(thread["NoNewPrivs"] == "1" && thread["Seccomp"] == "2", "\(name)")
        }
    }

    /// A port below 1024, which nobody but root can bind, and every sort of thread there is.
    @Test(arguments: ["uring", "epoll"])
    func everyThreadIsSomebodyElses(_ backend: String) throws {
        let upstream = try Server([])
        let folder = try ServedFolder()
        let (echo, relay) = (UInt16.random(in: 700..<1000), Self.port())
        let program = try folder.serve(
            """
            user: nobody
            admin: unix:\(folder.path)/admin
            defaults: {workers: 2, pin: false, backend: \(backend), max-connections: 500}
            services:
              greet: {type: echo, listen: 127.0.0.1:\(echo)}
              web:
                type: relay
                listen: 127.0.0.1:\(relay)
                to: localhost:\(upstream.port)
                check-interval: 100ms
            """
        )
        try program.waitUntilItSays("web on")
        #expect(try echoes(echo) && echoes(relay))
        try expectNobody(
            program.identifier,
            threads: [
                "ringback", "greet-0", "greet-1", "web-0", "web-1", "admin", "checks", "names",
            ],
            groups: "65534"
        )
        // What the main thread is held to, and more; only names are looked up as by the main one.
        for thread in try ThreadStatus.all(program.identifier) {
            let isWide = ["ringback", "names"].contains(thread.name)
            #expect(try thread.filterCount == ownFilterCount + (isWide ? 1 : 2), "\(thread.name)")
        }
        let status = try Program.run(
            "curl",
            "-s",
            "--unix-socket",
            folder.path + "/admin",
            "http://localhost/status"
        )
        #expect(status.output.contains("\"user\" : \"nobody\""), "\(status)")
        #expect(status.output.contains("\"seccomp\" : \"on\""))
        program.signal(SIGTERM)
        #expect(try program.wait().status == 0)
        #expect(try upstream.stop().status == 0)
    }

    /// Of a low port that was bound all goes on; for another one the right is gone, and that is
    /// said.
    @Test(arguments: ["uring", "epoll"])
    func itReloadsOpensItsLogAnewAndHandsOver(_ backend: String) throws {
        let folder = try ServedFolder()
        let (low, port) = (UInt16.random(in: 700..<900), Self.port())
        func text(_ listen: UInt16..., more: String = "") -> String {
            let addresses = listen.map { "127.0.0.1:\($0)" }.joined(separator: ", ")
            return """
                user: nobody:nogroup
                services:
                  greet:
                    type: echo
                    listen: [\(addresses)]
                    workers: 2
                    pin: false
                    backend: \(backend)
                    access-log: \(folder.log)
                    \(more)
                """
        }
        // A group that is named is the only one.
        let names: Set = ["ringback", "greet-0", "greet-1"]
        let program = try folder.serve(text(low))
        #expect(try echoes(low))
        // The same port, other workers, and a port that anybody may bind.
        try folder.write(text(low, port, more: "idle-timeout: 5m"))
        program.signal(SIGHUP)
        try program.waitUntilItSays(" reloaded")
        #expect(try echoes(low) && echoes(port))
        try expectNobody(program.identifier, threads: names, groups: "")
        try folder.write(text(low, port, low + 1))
        program.signal(SIGHUP)
        try program.waitUntilItSays("everything stays as it was: cannot listen on")
        #expect(program.errorsSoFar.contains("a port below 1024 needs root"))
        let elsewhere = try ServedFolder()
        try folder.write(text(low, port).replacing(folder.log, with: elsewhere.log))
        program.signal(SIGHUP)
        try program.waitUntilItSays("a folder that no log was in at the start needs a restart")
        try folder.write(text(low, port).replacing("user: nobody:nogroup", with: "user: daemon"))
        program.signal(SIGHUP)
        try program.waitUntilItSays("stay as they were at the start; a restart changes them")
        try folder.write(text(low, port))
        try FileManager.default.moveItem(atPath: folder.log, toPath: folder.log + ".1")
        program.signal(SIGUSR1)
        try program.waitUntilItSays("greet: accepted=")
        #expect(FileManager.default.fileExists(atPath: folder.log))

        program.signal(SIGUSR2)
        try program.waitUntilItSays(" takes over")
        let match = try #require(program.errorsSoFar.firstMatch(of: /process (\d+) takes over/))
        let successor = try #require(Int32(match.output.1))
        #expect(try echoes(low) && echoes(port))
        try expectNobody(successor, threads: names, groups: "")
        // It is not held to the same rules twice.
        let main = try ThreadStatus.all(successor).first { $0.name == "ringback" }
        #expect(try main?.filterCount == ownFilterCount + 1)
        #expect(try program.wait().status == 0)
        kill(successor, SIGTERM)
        let deadline = Date().addingTimeInterval(15)
        while kill(successor, 0) == 0 {
            try #require(Date() < deadline)
            usleep(2000)
        }
    }

    /// Without `--user` nobody changes, and each measure can be left out.
    @Test func measuresHaveSwitches() throws {
        let plain = try Server(["--workers", "1"])
        for thread in try ThreadStatus.all(plain.program.identifier) {
            #expect(thread["Uid"] == "0 0 0 0" && thread["Seccomp"] == "2")
        }
        #expect(plain.program.errorsSoFar.contains("restricted rings, seccomp, landlock; try"))
        #expect(!plain.program.errorsSoFar.contains("confined:"))
        #expect(try plain.stop().status == 0)
        let open = try Server([
            "--workers", "1", "--seccomp", "off", "--landlock", "off", "--ring-restrictions", "off",
        ])
        for thread in try ThreadStatus.all(open.program.identifier) {
            #expect(thread["Seccomp"] == "0" && thread["NoNewPrivs"] == "1")
        }
        #expect(open.program.errorsSoFar.contains("landlock off, no_new_privs on, seccomp off"))
        #expect(!open.program.errorsSoFar.contains("restricted rings"))
        #expect(try open.stop().status == 0)
    }

    @Test(arguments: [
        (["--user", "root"], Int32(2), "--user: root gives up nothing"),
        (["--user", "no-such-one"], Int32(2), "--user: there is no user called"),
        (
            ["--user", "nobody", "--access-log", "/proc/no-such/log"], Int32(1),
            "cannot write the access log"
        ),
        (["--seccomp", "perhaps"], Int32(2), "--seccomp"),
    ])
    func whatCannotBeIsSaidInALine(_ options: [String], _ status: Int32, _ words: String) throws {
        let command = ["ringback", "echo", "--listen", "127.0.0.1:0"] + options
        let ended = try Program(command).wait()
        #expect(ended.status == status && ended.errors.contains(words), "\(ended)")
    }

    /// Whoever is not root can only be who he is.
    @Test func onlyRootBecomesSomebodyElse() throws {
        let folder = try ServedFolder()
        func run(_ user: String) throws -> Program {
            try Program([
                "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", folder.server,
                "echo", "--listen", "127.0.0.1:0", "--workers", "1", "--user", user,
            ])
        }
        let refused = try run("daemon").wait()
        #expect(
            refused.status == 1 && refused.errors.contains("only root can become"),
            "\(refused)"
        )
        let same = try run("nobody")
        try same.waitUntilItSays("try: nc")
        same.signal(SIGTERM)
        #expect(try same.wait().status == 0)
    }
}
