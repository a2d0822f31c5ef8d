// The simulation of epoll as a test: what once went wrong with its calls and edges, each as a plan
// of its own.

import Engine
import Simulation
import Testing

@Suite(.serialized)
struct EpollTests {
    /// Seeds that went wrong once. What they found has a plan below.
    private static let kept: [UInt64] = [26, 31, 64713, 171507, 186909, 188800, 202351]

    @Test(arguments: kept) func whatWentWrongGoesWell(_ seed: UInt64) throws {
        _ = try goWell(Plan(seed: seed, backend: .epoll))
    }

    /// Runs operations of one client with several seeds.
    private func run(seeds: Range<UInt64>, _ operations: (UInt64) -> [Operation]) throws {
        for seed in seeds {
            let plan = Plan(
                seed: seed,
                backend: .epoll,
                clientCount: 1,
                operations: operations(seed)
            )
            _ = try goWell(plan)
        }
    }

    /// The kernel counts what is unread up to an urgent byte, and more may lie behind it.
    @Test func aStopReadsWhatLiesBehindAnUrgentByte() throws {
        try run(seeds: 0..<200) { seed in
            [
                .mischief(.delay, perMille: 500), .connect(client: 0, at: 1000),
                .urge(client: 0), .send(client: 0, byteCount: 5),
                .stop(at: 50_000 + 5000 * seed),
            ]
        }
    }

    /// Where the kernel does not say what is unread, it may be something.
    @Test func aStopLosesNothingWhereNobodyKnowsWhatIsUnread() throws {
        try run(seeds: 0..<200) { seed in
            [
                .mischief(.askFails, perMille: 1000), .mischief(.delay, perMille: 500),
                .connect(client: 0, at: 1000), .send(client: 0, byteCount: 50),
                .stop(at: 50_000 + 5000 * seed),
            ]
        }
    }

    /// FIN that cannot leave is no reason to wait for the client's for ever.
    @Test func aConnectionEndsWhoseFinCannotLeave() throws {
        try run(seeds: 0..<200) { seed in
            [
                .mischief(.callFails, perMille: 200), .connect(client: 0, at: 1000),
                .send(client: 0, byteCount: 5), .await(client: 0), .send(client: 0, byteCount: 5),
                .await(client: 0), .stop(at: 50_000 + 5000 * seed),
            ]
        }
    }

    /// One EAGAIN that is not true, and any number of EINTR, hold nothing up and break nothing.
    @Test func nobodyBelievesOneUntrueAnswer() throws {
        try run(seeds: 0..<50) { _ in
            [
                .mischief(.untrueAgain, perMille: 1000), .mischief(.interrupted, perMille: 300),
                .connect(client: 0, at: 1000), .send(client: 0, byteCount: 2000),
                .await(client: 0), .send(client: 0, byteCount: 2000), .finish(client: 0),
            ]
        }
    }
}
