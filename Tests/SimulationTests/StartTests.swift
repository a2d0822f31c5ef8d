// What a kernel may refuse at the start, on the simulated ring: the start then ends with the call
// and its error, or goes on as if nothing had been. On the kernel's ring it is in
// `URingTests/SetUpTests.swift`, and on the whole server in `SoakTests/FaultMatrix.swift`.

@_spi(Simulation) import Engine
import Net
import Simulation
import Testing

struct StartTests {
    private func plan(_ seed: UInt64) -> Plan {
        Plan(
            seed: seed,
            clientCount: 2,
            operations: (0..<2).flatMap { client -> [Operation] in
                [
                    .connect(client: client, at: 1000), .send(client: client, byteCount: 5000),
                    .finish(client: client),
                ]
            }
        )
    }

    @Test(arguments: [Errno.outOfMemory, .invalidArgument, .notPermitted])
    func aRefusedGroupEndsTheStart(_ error: Errno) {
        var plan = plan(0)
        plan.refuseGroup(error)
        let failure = SystemError("io_uring_register(PBUF_RING)", error)
        #expect(throws: failure) { try Simulation.run(plan) }
    }

    @Test(arguments: [Errno.interrupted, .busy, .tryAgain, .outOfMemory])
    func theFirstEntersMayFail(_ error: Errno) throws {
        for seed: UInt64 in 0..<3 {
            var plan = plan(seed)
            plan.failFirstEnters(Array(repeating: error, count: 50))
            let outcome = try Simulation.run(plan)
            #expect(outcome.failure == nil)
            #expect(outcome.counters.interruptedWaits == 50)
        }
    }

    /// What does not pass is a defect: one line, and status 1.
    @Test func aFirstEnterThatIsForbiddenEndsTheProcess() async throws {
        let result = await #expect(
            processExitsWith: .exitCode(1),
            observing: [\.standardErrorContent]
        ) {
            var plan = Plan(seed: 0, clientCount: 0, operations: [])
            plan.failFirstEnters([.notPermitted])
            _ = try Simulation.run(plan)
        }
        let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(said.contains("io_uring_enter: \(Errno.notPermitted)"))
    }
}
