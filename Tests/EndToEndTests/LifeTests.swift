// What the rest of the system sees of a connection's life: who keeps TIME_WAIT, what a child would
// inherit, and how the service ends that has lost its listener.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(1)))
struct LifeTests {
    /// Whether a socket in TIME_WAIT has the server's port as its own, and as its peer's.
    private func timeWait(_ port: UInt16) throws -> (server: Bool, client: Bool) {
        func exists(_ filter: String) throws -> Bool {
            !(try Program.shell("ss -Htn state time-wait \(filter) = :\(port)")).output.isEmpty
        }
        return try (exists("sport"), exists("dport"))
    }

    @Test(arguments: ["uring", "epoll"])
    func timeWaitStaysWithTheClientThatFinishes(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let client = try TestClient(SocketAddress(parsing: server.address))
        client.finish()
        #expect(try client.receiveToEnd() == [])
        try server.waitForConnections(0)
        #expect(try timeWait(server.port) == (false, true))
        #expect(try server.stop().status == 0)
    }

    @Test(arguments: ["uring", "epoll"])
    func timeWaitStaysWithTheServerThatKicks(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1", "--idle-timeout", "200ms"])
        let client = try TestClient(SocketAddress(parsing: server.address))
        #expect(try client.receiveToEnd() == [])
        client.finish()
        try server.waitForConnections(0)
        #expect(try timeWait(server.port) == (true, false))
        #expect(try server.stop().status == 0)
    }

    /// No program that the service might start inherits a client's connection.
    @Test(arguments: ["uring", "epoll"])
    func everySocketIsClosedOnExec(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let client = try TestClient(SocketAddress(parsing: server.address))
        try server.waitForConnections(1)
        for number in try server.connections() {
            let path = "/proc/\(server.program.identifier)/fdinfo/\(number)"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let flags = try #require(text.firstMatch(of: /flags:\s*([0-7]+)/)?.1)
            #expect(Int(flags, radix: 8)! & 0o2000000 != 0, "O_CLOEXEC of \(number)")
        }
        _ = consume client
        #expect(try server.stop().status == 0)
    }

    /// Registered files get FIN also where the process has no descriptor left to send it by.
    @Test(.enabled(if: getuid() == 0)) func finLeavesWithoutADescriptor() throws {
        let server = try Server([
            "--backend", "uring", "--workers", "1", "--registered-files", "--idle-timeout", "500ms",
        ])
        let client = try TestClient(SocketAddress(parsing: server.address))
        try client.send([7])
        #expect(try client.receive(exactly: 1) == [7])
        let folder = "/proc/\(server.program.identifier)/fd"
        let taken = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
        let free = try #require((0...1000).first { !taken.contains("\($0)") })
        let limit = ["prlimit", "--pid", "\(server.program.identifier)", "--nofile=\(free):20000"]
        #expect(try Program(limit).wait().status == 0)
        #expect(try client.receiveToEnd() == [])
        client.finish()
        #expect(try server.stop().errors.contains("ends: idle=1\n"))
    }

    /// A listener that is destroyed under the service ends it, in order, with a line that says so.
    @Test(.enabled(if: getuid() == 0), arguments: ["uring", "epoll"])
    func losingAListenerEndsTheService(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let client = try TestClient(SocketAddress(parsing: server.address))
        try client.send([7])
        #expect(try client.receive(exactly: 1) == [7])
        _ = try Program.shell("ss -Kln sport = :\(server.port)")
        #expect(try client.receiveToEnd() == [], "FIN, as in any drain")
        client.finish()
        let ended = try server.program.wait()
        #expect(ended.status == 1)
        let line = try #require(ended.errorLines.last)
        #expect(line.hasPrefix("ringback: a listener accepts no more: "), "\(line)")
    }
}
