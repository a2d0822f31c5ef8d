// Succession: a new process goes on with the sockets of the old one, which keeps its connections
// until they end. Under load that checks every byte nobody notices.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct SuccessionTests {
    private func echoes(_ client: TestClient) throws -> Bool {
        try client.send([1, 2, 3])
        return try client.receive(exactly: 3) == [1, 2, 3]
    }

    @Test(arguments: ["uring", "epoll"])
    func twentyUnderLoad(_ backend: String) throws {
        let line = try Line("--backend", backend, "--workers", "2")
        func load(_ arguments: String...) throws -> Program {
            let target = "127.0.0.1:\(line.port)"
            return try Program(
                ["ringload"] + arguments + [target, "--verify", "--duration", "9s"]
            )
        }
        let messages = try load("rr", "--connections", "20", "--size", "1-20000")
        let visits = try load("crr", "--connections", "4", "--rate", "300")
        usleep(300_000)
        for _ in 0..<20 { try line.succeed() }
        for program in [messages, visits] {
            let ended = try program.wait()
            #expect(ended.status == 0 || ended.status == 4, "\(ended.output)\(ended.errors)")
            #expect(ended.output.contains("lost=0 foreign=0 reordered=0"), "\(ended.output)")
            #expect(ended.output.contains("errors       none"), "\(ended.output)")
        }
        // With its last connection gone the first process is.
        #expect(try line.first.wait().status == 0)
        #expect(try echoes(line.client()))
        try line.stop()
    }

    /// A successor that cannot serve changes nothing.
    @Test func aFailedOneChangesNothing() throws {
        let folder = NSTemporaryDirectory() + "ringback-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let copy = folder + "/ringback"
        try FileManager.default.copyItem(atPath: Place.binaries + "/ringback", toPath: copy)
        let server = try Server(["--drain-timeout", "1s"], executable: copy)
        let client = try TestClient(SocketAddress(parsing: server.address))
        #expect(try echoes(client))
        // The next version is no program at all.
        try FileManager.default.removeItem(atPath: copy)
        try "#!/bin/false\n".write(toFile: copy, atomically: false, encoding: .utf8)
        chmod(copy, 0o755)
        server.program.signal(SIGUSR2)
        try server.program.waitUntilItSays("everything stays as it was")
        #expect(try echoes(client))
        #expect(try echoes(TestClient(SocketAddress(parsing: server.address))))
        #expect(try server.stop().status == 0)
    }

    /// Whoever stays with the old process is served there, and it still drains when it is told to.
    @Test func theOldOneCanBeStopped() throws {
        let line = try Line("--no-hand-over-connections")
        let old = try line.client()
        #expect(try echoes(old))
        let first = line.current
        try line.succeed()
        #expect(try echoes(old))
        #expect(try echoes(line.client()))
        kill(first, SIGTERM)
        #expect(try old.receiveToEnd() == [], "FIN, not RST")
        old.finish()
        #expect(try line.first.wait().status == 0)
        #expect(try echoes(line.client()))
        try line.stop()
    }
}
