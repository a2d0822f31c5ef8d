// The simulation as a test: some seeds, those that once went wrong, and whether a seed can be
// relied on. `make simulate` runs many more. What concerns epoll alone is in EpollTests.swift.

import Engine
import Simulation
import Testing

@Suite(.serialized)
struct SimulationTests {
    /// Seeds that went wrong once, and of what. They mean what they meant for as long as the plans
    /// are made in the same way; what they found has a plan of its own below.
    private static let kept: [UInt64] = [265, 307, 964, 2062, 4718, 7027]

    @Test(arguments: Backend.allCases) func someSeedsGoWell(_ backend: Backend) throws {
        for seed in 0..<60 { _ = try goWell(Plan(seed: UInt64(seed), backend: backend)) }
    }

    @Test(arguments: kept) func whatWentWrongGoesWell(_ seed: UInt64) throws {
        _ = try goWell(Plan(seed: seed))
    }

    /// Some of those who wait to be accepted at a stop have broken. The others are served.
    @Test(arguments: Backend.allCases)
    func aStopTakesInWhoWaitsBehindABrokenOne(_ backend: Backend) throws {
        for seed: UInt64 in 0..<100 {
            let connects = (0..<8).map { Operation.connect(client: $0, at: 1_999_000) }
            let plan = Plan(
                seed: seed,
                backend: backend,
                clientCount: 8,
                operations: [.mischief(.acceptFails, perMille: 400)] + connects
                    + [.stop(at: 2_000_000)]
            )
            _ = try goWell(plan)
        }
    }

    @Test(arguments: Backend.allCases) func aSeedIsAlwaysTheSameRun(_ backend: Backend) throws {
        for seed: UInt64 in 1000..<1020 {
            let plan = Plan(seed: seed, backend: backend)
            let first = try goWell(plan)
            #expect(try Simulation.run(plan) == first, "seed \(seed)")
        }
    }

    @Test(arguments: Backend.allCases) func whatIsDroppedIsLeftOut(_ backend: Backend) throws {
        let plan = Plan(seed: 7, backend: backend)
        let everything = Set(plan.operations.indices)
        #expect(plan.dropping(everything).operations.isEmpty)
        #expect(plan.dropping([0]).operations == Array(plan.operations.dropFirst()))
        _ = try goWell(plan.dropping(everything))
    }

    /// The cancellation of an accept misses it at a stop. The listener has to close all the same.
    @Test func aStopGoesOnWhenACancellationMisses() throws {
        for seed: UInt64 in 0..<20 {
            let plan = Plan(
                seed: seed,
                clientCount: 1,
                operations: [
                    .mischief(.cancelNotFound, perMille: 800), .connect(client: 0, at: 1000),
                    .send(client: 0, byteCount: 10), .stop(at: 2_000_000),
                ]
            )
            _ = try goWell(plan)
        }
    }

    /// With registered files the process may have no descriptor left to ask by what is unread.
    @Test func nothingIsLostAtAStopWithoutADescriptor() throws {
        var failed: [UInt64] = []
        for seed: UInt64 in 0..<100 {
            var plan = Plan(
                seed: seed,
                clientCount: 1,
                operations: [
                    .mischief(.installFails, perMille: 1000), .mischief(.delay, perMille: 500),
                    .connect(client: 0, at: 1000), .send(client: 0, byteCount: 50),
                    .await(client: 0), .send(client: 0, byteCount: 50),
                    .stop(at: 200_000 + 10_000 * seed),
                ]
            )
            plan.registerFiles()
            if try Simulation.run(plan).failure != nil { failed.append(seed) }
        }
        #expect(failed == [])
    }

    /// The cancellation of a receive misses it while the peer does not read. It has to be tried
    /// again.
    @Test func aThrottledReceiveEndsWhenACancellationMisses() throws {
        for seed: UInt64 in 0..<20 {
            var plan = Plan(
                seed: seed,
                clientCount: 1,
                operations: [
                    .mischief(.cancelNotFound, perMille: 500),
                    .mischief(.shortReceive, perMille: 900), .connect(client: 0, at: 1000),
                    .stall(client: 0, nanoseconds: 100_000_000),
                    .send(client: 0, byteCount: 3000), .finish(client: 0),
                ]
            )
            plan.makeTight()
            _ = try goWell(plan)
        }
    }
}

/// Runs a plan that has to go well.
func goWell(_ plan: Plan) throws -> Outcome {
    let outcome = try Simulation.run(plan)
    #expect(outcome.failure == nil, "make simulate BACKEND=\(plan.backend) SEED=\(plan.seed)")
    return outcome
}
