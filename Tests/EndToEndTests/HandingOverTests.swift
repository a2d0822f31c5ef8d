// Handing over: at SIGUSR2 the established connections of an echo go to the successor, and their
// clients notice nothing. The engine's own tests are in Tests/EngineTests; here are the processes.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct ConnectionsGoAlongTests {
    private func echoes(_ client: TestClient) throws -> Bool {
        try client.send([1, 2, 3])
        return try client.receive(exactly: 3) == [1, 2, 3]
    }

    /// Connections that are held go from process to process, and each process ends without them.
    @Test func heldOnesGoAlong() throws {
        let line = try Line(settings: "backend: uring", "workers: 2")
        let clients = try (0..<200).map { _ in try line.client() }
        for client in clients { #expect(try echoes(client)) }
        for settings in ["backend: epoll", "backend: epoll", "backend: uring", "backend: uring"] {
            let old = line.current
            try line.succeed(settings: settings, "workers: 2")
            #expect(try line.ends(old), "its last connection is gone")
            for client in clients { #expect(try echoes(client)) }
        }
        #expect(line.said(/(\d+) connections handed over/) == ["200", "200", "200", "200"])
        #expect(line.said(/handed_over=(\d+)/) == ["200", "200", "200", "200"])
        for client in clients {
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        try line.stop()
        let last = try #require(line.said(/stopped; (.*)/).last)
        #expect(last.contains(" inherited=200 "), "\(last)")
        #expect(last.hasSuffix("ends: client_fin=200"), "\(last)")
        #expect(last.hasPrefix("accepted=0 "), "nobody connected anew: \(last)")
    }

    /// Clients that send all the time, over twenty upgrades: none is cut, and none comes again.
    @Test(arguments: ["uring", "epoll"])
    func twentyUnderLoad(_ backend: String) throws {
        let line = try Line("--backend", backend, "--workers", "2")
        let load = try Program([
            "ringload", "rr", "127.0.0.1:\(line.port)", "--verify", "--connections", "20", "--size",
            "1-20000", "--duration", "8s",
        ])
        let held = try (0..<100).map { _ in try line.client() }
        for client in held { #expect(try echoes(client)) }
        try line.waitUntilAccepted(120)
        for _ in 0..<20 {
            let old = line.current
            try line.succeed()
            #expect(try line.ends(old))
        }
        for client in held { #expect(try echoes(client)) }
        let handedOver = line.said(/(\d+) connections handed over/)
        #expect(handedOver == Array(repeating: "120", count: 20))
        let ended = try load.wait()
        #expect(ended.status == 0 || ended.status == 4, "\(ended.output)\(ended.errors)")
        #expect(ended.output.contains("lost=0 foreign=0 reordered=0"), "\(ended.output)")
        #expect(ended.output.contains("errors       none"), "\(ended.output)")
        for client in held { client.finish() }
        try line.stop()
        let accepted = line.said(/stopped; accepted=(\d+)/)
        #expect(accepted == ["120"] + Array(repeating: "0", count: 20))
    }

    /// Where connections are not to go, or cannot, they are served to their end where they were.
    @Test(arguments: ["hand-over-connections: false", "registered-files: true"])
    func otherwiseTheyStay(_ setting: String) throws {
        let line = try Line(settings: "backend: uring", setting)
        let client = try line.client()
        #expect(try echoes(client))
        let old = line.current
        try line.succeed()
        #expect(try echoes(client))
        #expect(try echoes(line.client()))
        #expect(line.isThere(old))
        client.finish()
        #expect(try client.receiveToEnd() == [])
        #expect(try line.ends(old))
        try line.stop()
    }

    /// A successor that wants none, as one of an earlier version: it has not said that it does.
    @Test func aSuccessorMayWantNone() throws {
        let line = try Line(settings: "backend: epoll")
        let client = try line.client()
        #expect(try echoes(client))
        let old = line.current
        try line.succeed(settings: "backend: epoll", "hand-over-connections: false")
        #expect(try echoes(client))
        #expect(line.isThere(old))
        client.finish()
        #expect(try line.ends(old))
        try line.stop()
    }

    /// A stop while connections go: what is still here drains.
    @Test func aStopEndsIt() throws {
        let line = try Line(settings: "backend: epoll", "drain-timeout: 10s")
        let slow = try line.client()
        var quiet = 0
        var sent = 0
        while quiet < 20 {
            let count = try slow.sendAvailable([UInt8](repeating: 4, count: 65536)[...])
            sent += count
            quiet = count == 0 ? quiet + 1 : 0
            if count == 0 { usleep(5000) }
        }
        let old = line.current
        try line.succeed()
        let arrived = sent - slow.unacknowledgedByteCount
        kill(old, SIGTERM)
        #expect(try slow.receiveToEnd().count >= arrived)
        slow.finish()
        #expect(try line.ends(old, seconds: 8))
        try line.stop()
    }

    /// A successor that dies with connections in its hands, before it has said that they are its:
    /// whoever was offered goes on with the old process.
    @Test func aSuccessorThatDiesAmid() throws {
        let folder = NSTemporaryDirectory() + "ringback-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let copy = folder + "/ringback"
        try FileManager.default.copyItem(atPath: Place.binaries + "/ringback", toPath: copy)
        // A script needs more than a successor of ours.
        let unconfined = ["--seccomp", "off", "--landlock", "off"]
        let server = try Server(
            ["--workers", "1", "--backend", "epoll"] + unconfined,
            executable: copy
        )
        let clients = try (0..<50).map { _ in
            try TestClient(SocketAddress(parsing: server.address))
        }
        for client in clients { #expect(try echoes(client)) }
        // Gone first: a program that runs cannot be written.
        try FileManager.default.removeItem(atPath: copy)
        try Self.fickle.write(toFile: copy, atomically: false, encoding: .utf8)
        chmod(copy, 0o755)
        server.program.signal(SIGUSR2)
        try server.program.waitUntilItSays("0 connections handed over")
        #expect(try String(contentsOfFile: copy + ".seen", encoding: .utf8) == "50")
        for client in clients {
            #expect(try echoes(client))
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        #expect(try server.program.wait().errors.contains("ends: client_fin=50"))
    }

    /// Takes connections, writes down how many, and is gone.
    private static let fickle = """
        #!/usr/bin/env python3
        import os, socket, sys
        channel = socket.socket(fileno=int(os.environ["RINGBACK_SUCCEEDED_CONNECTIONS"]))
        channel.send(b"connections 1")
        os.write(int(os.environ["RINGBACK_SUCCEEDED_READY"]), b"1")
        channel.recv(4096)
        channel.send(bytes([1]))
        _, taken, _, _ = socket.recv_fds(channel, 4096, 253)
        open(sys.argv[0] + ".seen", "w").write(str(len(taken)))

        """
}
