// Sockets that somebody else holds too, and sockets that somebody else breaks.

import Engine
import Glibc
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct SharedSocketTests {
    private let second = UInt64.nanosecondsPerSecond

    /// A second holder of the one connection that the server has.
    private func hold(_ server: EchoServer) throws -> Descriptor {
        let connections = OwnSockets.descriptors(local: server.address, isListening: false)
        return OwnSockets.duplicate(try #require(connections.first))
    }

    /// FIN leaves by shutdown(2), so it does not matter who else holds the socket.
    @Test(arguments: Backend.allCases)
    func finReachesThePeerWhoeverHoldsTheSocket(_ backend: Backend) throws {
        let server = try EchoServer(backend) { $0.policy.idleNanoseconds = second / 5 }
        let client = try TestClient(server.address)
        try client.send([1])
        #expect(try client.receive(exactly: 1) == [1])
        let held = try hold(server)
        #expect(try client.receiveToEnd() == [])
        client.finish()
        held.close()
        #expect(server.stop().terminations.summary == "idle=1")
    }

    /// close(2) is felt by the peer when the last holder closes.
    @Test(arguments: Backend.allCases)
    func resetWaitsForTheLastHolder(_ backend: Backend) throws {
        let server = try EchoServer(backend) { $0.policy.drainNanoseconds = second / 10 }
        let client = try TestClient(server.address)
        try client.send([1])
        #expect(try client.receive(exactly: 1) == [1])
        let held = try hold(server)
        // The client does not answer FIN, so its connection is cut at the end of the drain.
        #expect(server.stop().terminations.summary == "drain=1")
        #expect(try client.receiveToEnd() == [], "FIN, and no RST yet")
        #expect(try client.sendAvailable([1]) == 1)
        held.close()
        #expect(throws: TestClient.CallFailed.self) {
            for _ in 0..<1000 {
                try client.send([1])
                usleep(1000)
            }
        }
    }

    /// A listener that can never accept again is given up, and is not asked again and again.
    @Test(arguments: Backend.allCases)
    func aBrokenListenerIsGivenUp(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        let client = try TestClient(server.address)
        // Whoever still waits in the listener's queue goes down with it.
        try client.send([1])
        #expect(try client.receive(exactly: 1) == [1])
        let listeners = OwnSockets.descriptors(local: server.address, isListening: true)
        try #require(listeners.first).shutdownBoth()
        let deadline = Clock.monotonicNanoseconds() + 10 * second
        while server.lostListener == nil, Clock.monotonicNanoseconds() < deadline {
            usleep(1000)
        }
        #expect(server.lostListener == .invalidArgument)
        usleep(200_000)
        try client.send([1])
        #expect(try client.receive(exactly: 1) == [1], "who is connected is served on")
        client.finish()
        _ = try client.receiveToEnd()
        let counters = server.stop()
        #expect(counters.acceptFailures == 1)
        #expect(counters.turns < 100)
    }
}
