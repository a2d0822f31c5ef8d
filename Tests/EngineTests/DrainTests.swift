// A stop at a pace on real sockets, on every way of holding connections and with several workers,
// which share the pace. A slow machine may take longer than the pace asks for, so times are bounded
// from below; exact ones are those of the simulation.

import Engine
import Glibc
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(2)))
struct DrainTests {
    private let second = UInt64.nanosecondsPerSecond

    /// Clients that have been answered once.
    private func clients(_ count: Int, of server: EchoServer) throws -> [TestClient] {
        try (0..<count).map { number in
            let client = try TestClient(server.address)
            try client.send([UInt8(number)])
            #expect(try client.receive(exactly: 1) == [UInt8(number)])
            return client
        }
    }

    /// 60 at 100 a second, by three workers: the last two of a stretch are 10 ms apart, and nobody
    /// goes before the stop has begun.
    @Test(arguments: Interface.allCases)
    func allWorkersShareThePace(_ interface: Interface) throws {
        let server = try EchoServer(interface) {
            $0.workerCount = 3
            $0.policy.drainNanoseconds = 10 * second
            $0.policy.drainsPerSecond = 100
        }
        let clients = try clients(60, of: server)
        let start = Clock.monotonicNanoseconds()
        let stopping = try Thread(name: "stopper") { _ = server.stop() }
        var waiting = clients
        var goneInHalfTheTime = 0
        while !waiting.isEmpty {
            let gone = try waiting.filter { try $0.isReadable(withinMilliseconds: 0) }
            for client in gone {
                #expect(try client.receive() == [], "FIN, not RST")
                client.finish()
            }
            waiting.removeAll { client in gone.contains { $0 === client } }
            let passed = Clock.monotonicNanoseconds() - start
            if passed < second * 3 / 10 { goneInHalfTheTime = 60 - waiting.count }
            try #require(passed < 9 * second, "\(waiting.count) wait")
        }
        #expect(Clock.monotonicNanoseconds() - start > second * 58 / 100)
        #expect(goneInHalfTheTime <= 31)
        stopping.join()
    }

    /// Whoever waits for its turn is answered, with all that it sends, until FIN comes.
    @Test(arguments: Interface.allCases)
    func whoWaitsIsServed(_ interface: Interface) throws {
        let server = try EchoServer(interface) {
            $0.policy.drainNanoseconds = 10 * second
            $0.policy.drainsPerSecond = 10
        }
        let silent = try clients(5, of: server)
        let talking = try TestClient(server.address)
        let stopping = try Thread(name: "stopper") { _ = server.stop() }
        var rounds = 0
        while true {
            try talking.send([7, 7, 7])
            let answer = try talking.receive(exactly: 3)
            guard answer == [7, 7, 7] else {
                #expect(answer == [])
                break
            }
            rounds += 1
            usleep(2000)
        }
        // It goes last: those who are silent take half a second.
        #expect(rounds > 10)
        for client in silent {
            #expect(try client.isReadable(withinMilliseconds: 0))
            #expect(try client.receive() == [])
            client.finish()
        }
        talking.finish()
        stopping.join()
    }

    /// A connection whose turn has come gets all that it had sent, however slowly it reads.
    @Test(arguments: Interface.allCases)
    func whoseTurnHasComeFinishesFirst(_ interface: Interface) throws {
        let server = try EchoServer(interface) {
            $0.policy.drainNanoseconds = 10 * second
            $0.policy.drainsPerSecond = 1000
        }
        let client = try TestClient(server.address, receiveBufferBytes: 4096)
        let bytes = randomBytes(200_000, seed: 3)
        var sent = 0
        while sent < bytes.count {
            let count = try client.sendAvailable(bytes[sent...])
            guard count > 0 else { break }
            sent += count
        }
        let stopping = try Thread(name: "stopper") { _ = server.stop() }
        usleep(100_000)
        #expect(try client.receiveToEnd() == Array(bytes.prefix(sent)))
        client.finish()
        stopping.join()
    }

    /// The timeout bounds it: nine tenths at the pace, then all at once, and at its end the rest is
    /// cut.
    @Test(arguments: Interface.allCases)
    func theTimeoutBoundsIt(_ interface: Interface) throws {
        let server = try EchoServer(interface) {
            $0.policy.drainNanoseconds = second
            $0.policy.drainsPerSecond = 5
        }
        let clients = try clients(30, of: server)
        let start = Clock.monotonicNanoseconds()
        let stopped = try Thread(name: "stopper") {
            let counters = server.stop()
            #expect(counters.terminations.summary == "drain=30")
        }
        usleep(500_000)
        #expect(try clients.count { try $0.isReadable(withinMilliseconds: 0) } <= 4)
        // One does not answer FIN; nobody else is cut.
        for client in clients.dropLast() {
            #expect(try client.receive() == [])
            client.finish()
        }
        #expect(Clock.monotonicNanoseconds() - start > second * 9 / 10)
        stopped.join()
        #expect(Clock.monotonicNanoseconds() - start > second)
        #expect(Clock.monotonicNanoseconds() - start < 5 * second)
        #expect(try clients.last?.isReset(withinMilliseconds: 1000) == true)
    }
}
