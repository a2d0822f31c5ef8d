// A stop of the relay at a pace: a client and its upstream are let go together, pairs one after the
// other, and last those whose upstream owes an answer.

import Engine
import Glibc
import Net
import Relay
import Support
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(2)))
struct DrainTests {
    private let second = UInt64.nanosecondsPerSecond
    private static let settings = Interface.allCases.map { Setting(interface: $0, pool: .normal) }

    /// The two ends of a pair that the test holds.
    private struct Pair {
        let number: UInt8
        let client: TestClient
        let upstream: TestClient

        /// A byte goes to the upstream, and two come back.
        func exchange() throws {
            try client.send([number])
            #expect(try upstream.receive(exactly: 1) == [number])
            try upstream.send([number, number])
            #expect(try client.receive(exactly: 2) == [number, number])
        }

        /// Both have got FIN, and answer it.
        func part() throws {
            #expect(try client.receive() == [], "FIN, not RST")
            #expect(try upstream.receive() == [], "FIN, not RST")
            client.finish()
            upstream.finish()
        }
    }

    /// A relay that stops beside the test.
    private final class Stopping: Sendable {
        private let counters = Mutex(Counters())
        private let thread: Mutex<Thread?>

        init(_ relay: RelayServer) throws {
            thread = Mutex(nil)
            let thread = try Thread(name: "stopper") { [self] in
                let counted = relay.stop()
                counters.withLock { $0 = counted }
            }
            self.thread.withLock { $0 = thread }
        }

        func join() -> Counters {
            thread.withLock { $0 }?.join()
            return counters.withLock { $0 }
        }
    }

    /// A relay that stops at a pace.
    private func relay(
        _ setting: Setting,
        to listener: TestListener,
        perSecond: Int,
        adjust: (inout RelayPlan) -> Void = { _ in }
    ) throws -> RelayServer {
        try RelayServer(setting, to: listener.address) { relay, plan in
            plan.policy.drainNanoseconds = 20 * second
            plan.policy.drainsPerSecond = perSecond
            adjust(&relay)
        }
    }

    private func pair(_ number: UInt8, _ relay: RelayServer, _ listener: TestListener) throws
        -> Pair
    {
        let client = try TestClient(relay.address)
        let pair = Pair(number: number, client: client, upstream: try listener.accept())
        try pair.exchange()
        return pair
    }

    /// Pairs leave from the last to the first, since those with the highest numbers were silent for
    /// longest, and the one that goes on until the end is served.
    @Test(arguments: settings)
    func pairsGoTogetherOneAfterTheOther(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try relay(setting, to: listener, perSecond: 20)
        let pairs = try (0..<12).map { try pair($0, relay, listener) }
        for pair in pairs.reversed() {
            usleep(3000)
            try pair.exchange()
        }
        let start = Clock.monotonicNanoseconds()
        let stopping = try Stopping(relay)
        var waiting = Array(pairs.reversed())
        var gone: [UInt8] = []
        while !waiting.isEmpty {
            let leaving = try waiting.filter { try $0.client.isReadable(withinMilliseconds: 0) }
            for pair in leaving { try pair.part() }
            gone += leaving.map(\.number)
            waiting.removeAll { pair in leaving.contains { $0.number == pair.number } }
            if waiting.count > 8 { try pairs[0].exchange() }
            try #require(Clock.monotonicNanoseconds() - start < 18 * second)
        }
        #expect(gone == pairs.map(\.number).reversed())
        // 12 have 50 ms each, and chance moves one by as much at most.
        #expect(Clock.monotonicNanoseconds() - start > second * 55 / 100)
        let counters = stopping.join()
        #expect(counters.terminations.summary == "drain=24")
        #expect(counters.bytesDropped == 0)
    }

    /// The upstream thinks while the relay stops: its answer arrives, though the pair has been
    /// silent for longest.
    @Test(arguments: settings)
    func whoIsOwedAnAnswerGetsIt(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try relay(setting, to: listener, perSecond: 20)
        let thinking = try pair(0, relay, listener)
        usleep(5000)
        try thinking.client.send([1])
        #expect(try thinking.upstream.receive(exactly: 1) == [1])
        usleep(5000)
        let others = try (1..<8).map { try pair($0, relay, listener) }
        let stopping = try Stopping(relay)
        // In the order of their silence it is past its turn now.
        #expect(try others[0].client.isReadable(withinMilliseconds: 5000))
        try others[0].part()
        try thinking.upstream.send([3])
        #expect(try thinking.client.receive(exactly: 1) == [3])
        for pair in others.dropFirst() { try pair.part() }
        try thinking.part()
        #expect(stopping.join().terminations.summary == "drain=16")
    }

    /// A client that has no upstream yet when the relay stops gets one.
    @Test(arguments: settings)
    func whoIsNotConnectedYetIsServed(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try relay(setting, to: listener, perSecond: 2) { relay in
            relay.proxyFrom = [AddressPrefix(parsing: "127.0.0.0/8")!]
            relay.headerNanoseconds = 10 * second
        }
        // It has the first turn, so the other has half a second.
        let first = try TestClient(relay.address)
        try first.send(Array("PROXY UNKNOWN\r\n".utf8))
        let silent = Pair(number: 1, client: first, upstream: try listener.accept())
        try silent.exchange()
        let client = try TestClient(relay.address)
        try client.send(Array("PROXY ".utf8))
        usleep(5000)
        let stopping = try Stopping(relay)
        usleep(20_000)
        try client.send(Array("UNKNOWN\r\n".utf8))
        let late = Pair(number: 2, client: client, upstream: try listener.accept())
        try late.exchange()
        try silent.part()
        try late.part()
        #expect(stopping.join().terminations.summary == "drain=4")
    }

    /// A pair whose client has finished goes on to its own end.
    @Test(arguments: settings)
    func whatIsEndingIsLeftAlone(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try relay(setting, to: listener, perSecond: 100)
        let ending = try pair(1, relay, listener)
        let other = try pair(2, relay, listener)
        ending.client.finish()
        #expect(try ending.upstream.receive() == [])
        let stopping = try Stopping(relay)
        try other.part()
        usleep(50_000)
        try ending.upstream.send([1, 2])
        ending.upstream.finish()
        #expect(try ending.client.receiveToEnd() == [1, 2])
        #expect(stopping.join().bytesDropped == 0)
    }
}
