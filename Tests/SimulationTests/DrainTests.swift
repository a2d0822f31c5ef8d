// A stop at a pace, on the model host: the clock is the test's, so what is said of times is exact.
// That nobody goes before the pace allows, and that no turn is made for nothing, the books ask of
// every run (DrainBooks, EnterRate); random plans stop at a pace as well.

import Engine
import Simulation
import Testing

@Suite(.serialized)
struct DrainTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let stop = 100 * millisecond

    /// Clients that are asked something at different times, in no order, and then are silent; and
    /// some that go on. The service stops after 100 ms.
    private func plan(
        _ backend: Backend,
        seed: UInt64,
        silent: Int,
        talking: Int = 0
    ) -> Plan {
        var operations: [Operation] = []
        for client in 0..<silent + talking {
            operations.append(.connect(client: client, at: 1000))
            // 7 and 40 have no divisor in common: each of 40 clients has a time of its own.
            let rest = UInt64(client * 7 % 40) * 2 * Self.millisecond + 1
            operations.append(.rest(client: client, nanoseconds: rest))
            for _ in 0..<(client < silent ? 1 : 50) {
                operations.append(.send(client: client, byteCount: 100))
                operations.append(.await(client: client))
                operations.append(.rest(client: client, nanoseconds: 3 * Self.millisecond))
            }
        }
        operations.append(.stop(at: Self.stop))
        return Plan(
            seed: seed,
            backend: backend,
            clientCount: silent + talking,
            operations: operations
        )
    }

    /// At 200 a second each has 5 ms for itself, and goes at a moment in them: that is the pace,
    /// and two moments in a row are as seldom 5 ms apart as chance is even.
    @Test(arguments: Backend.allCases)
    func thoseWhoAreSilentForLongestGoFirstAtThePace(_ backend: Backend) throws {
        for seed: UInt64 in 0..<10 {
            var plan = plan(backend, seed: seed, silent: 40)
            plan.paceDrain(perSecond: 0)
            let atOnce = try goWell(plan)
            plan.paceDrain(perSecond: 200)
            let outcome = try goWell(plan)
            let leaving = try outcome.clients.sorted { try #require($0.finAt) < $1.finAt! }
            let moments = leaving.map { $0.finAt! }
            for (one, next) in zip(leaving, leaving.dropFirst()) {
                // The worker knows the time in milliseconds.
                #expect(one.movedAt / Self.millisecond <= next.movedAt / Self.millisecond)
            }
            let slot = 5 * Self.millisecond
            for start in moments.indices {
                for end in moments.indices where end > start + 1 {
                    let least = UInt64(end - start - 1) * slot
                    #expect(moments[end] - moments[start] >= least, "\(start) to \(end)")
                }
            }
            let all = moments.last! - moments.first!
            #expect(all > 38 * slot && all < 41 * slot, "\(all)")
            let steps = zip(moments.dropFirst(), moments).map { $0 - $1 }
            #expect(steps.contains { $0 < slot * 3 / 4 } && steps.contains { $0 > slot * 5 / 4 })
            #expect(outcome.clients.allSatisfy { $0.sawFin })
            // Each turn to go is one of the worker's, and the client's FIN another.
            #expect(outcome.counters.turns < atOnce.counters.turns + 40 * 3)
        }
    }

    /// Other seeds have other moments.
    @Test func theMomentsAreLeftToChance() throws {
        let firsts = try (0..<10).map { (seed: UInt64) in
            var plan = plan(.uring, seed: seed, silent: 10)
            plan.paceDrain(perSecond: 100)
            return try #require(goWell(plan).clients.compactMap(\.finAt).min())
        }
        #expect(firsts.max()! - firsts.min()! > 3 * Self.millisecond, "\(firsts)")
    }

    /// Who talks on is served on, and goes when all have gone who are silent.
    @Test(arguments: Backend.allCases)
    func whoWaitsIsServed(_ backend: Backend) throws {
        for seed: UInt64 in 0..<5 {
            var plan = plan(backend, seed: seed, silent: 20, talking: 8)
            plan.paceDrain(perSecond: 200)
            let outcome = try goWell(plan)
            let lastSilent = try #require(outcome.clients[..<20].compactMap(\.finAt).max())
            for talking in outcome.clients[20...] {
                #expect(try #require(talking.finAt) > lastSilent)
                // 50 ms and more after the stop, of which each exchange takes 10 at most.
                #expect(talking.read >= talking.arrivedAtStop + 500)
                #expect(talking.sawFin)
            }
        }
    }

    /// Who is left in the last tenth of the time gets FIN, and nobody is cut who answers.
    @Test(arguments: Backend.allCases)
    func whoIsLeftAtTheEndGoesAtOnce(_ backend: Backend) throws {
        for seed: UInt64 in 0..<5 {
            var plan = plan(backend, seed: seed, silent: 20, talking: 8)
            plan.paceDrain(perSecond: 20, withinNanoseconds: 200 * Self.millisecond)
            let outcome = try goWell(plan)
            let moments = try outcome.clients.map { try #require($0.finAt) }
            let hurry = 1_000_000_000 + Self.stop + 180 * Self.millisecond
            #expect(moments.count { $0 < hurry } <= 4)
            #expect(moments.allSatisfy { $0 < hurry + 10 * Self.millisecond })
            #expect(outcome.clients.allSatisfy { $0.sawFin })
            #expect(outcome.counters.terminations[.drain, undelivered: true] <= 8)
        }
    }
}
