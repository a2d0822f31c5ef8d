// Whole runs: against a server that is right, against servers that lie, and against none.

import Engine
import Load
import Measure
import Net
import Support
import Testing

/// An echo with one fault, from a connection's tenth receive on.
private struct LyingEcho: Handler, ~Copyable {
    enum Fault: String, CaseIterable { case loses, mixes, cutsShort }

    let fault: Fault
    var receives: [ConnectionID: Int] = [:]

    init(fault: Fault) { self.fault = fault }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        receives[connection, default: 0] += 1
        guard receives[connection] == 10 else { return .echo }
        switch fault {
        case .loses:
            return .consume
        case .mixes:
            let other = receives.keys.first { $0 != connection }
            return other.map { .forward(to: $0) } ?? .echo
        case .cutsShort:
            return .abort
        }
    }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct LoadRunTests {
    private func plan(_ target: SocketAddress, _ backend: Backend) -> LoadPlan {
        var plan = LoadPlan(target: target, backend: backend)
        plan.connections = 8
        plan.depth = 4
        plan.size = .fixed(100)
        plan.verifies = true
        plan.seed = 42
        plan.warmupNanoseconds = 20 * .nanosecondsPerMillisecond
        plan.span = .nanoseconds(300 * .nanosecondsPerMillisecond)
        return plan
    }

    private func run(_ plan: LoadPlan) throws -> LoadOutcome {
        try LoadRun(plan, server: Host.processID).run()
    }

    @Test(arguments: Backend.allCases)
    func measuresAnHonestServer(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        let outcome = try run(plan(server.address, backend))
        let counters = server.stop()
        let result = outcome.total
        #expect(result.integrity.isClean)
        #expect(result.errors == LoadErrors())
        #expect(result.messages > 100)
        #expect(result.latency.count == result.messages)
        #expect(result.connectLatency.count == 8)
        #expect(counters.bytesSent == result.integrity.verifiedBytes)
        #expect(outcome.windowNanoseconds >= 300 * .nanosecondsPerMillisecond)
        #expect((outcome.server?.cpuNanoseconds ?? 0) > 0)
        #expect(outcome.signal == nil)
    }

    /// A generator that looks for events instead of sleeping has its CPU all the same: the audit
    /// takes that time off. At 100 messages a second it is nearly all of it.
    @Test(arguments: Backend.allCases)
    func knowsWhatWentIntoLooking(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        var plan = plan(server.address, backend)
        plan.connections = 1
        plan.depth = 1
        plan.arrivals = .open(perSecond: 100, .constant)
        #expect(try run(plan).total.lookedNanoseconds == 0)
        plan.busyPolling = .fixed(nanoseconds: 20 * .nanosecondsPerMillisecond)
        let outcome = try run(plan)
        let spent = outcome.client.cpuNanoseconds ?? 0
        #expect(outcome.total.lookedNanoseconds > outcome.windowNanoseconds / 20)
        #expect(outcome.total.lookedNanoseconds <= outcome.windowNanoseconds, "\(spent)")
        _ = server.stop()
    }

    @Test(arguments: Backend.allCases)
    func catchesAServerThatLoses(_ backend: Backend) throws {
        let verdict = try runAgainst(.loses, backend).integrity
        #expect(verdict.lost > 0)
        #expect(verdict.foreign == 0)
        #expect(verdict.firstFault?.contains("are missing") == true)
    }

    @Test(arguments: Backend.allCases)
    func catchesAServerThatMixes(_ backend: Backend) throws {
        let verdict = try runAgainst(.mixes, backend).integrity
        #expect(verdict.foreign > 0)
        #expect(verdict.firstFault?.contains("bytes of connection") == true)
    }

    @Test(arguments: Backend.allCases)
    func countsConnectionsThatTheServerCuts(_ backend: Backend) throws {
        let errors = try runAgainst(.cutsShort, backend).errors
        #expect(errors.reset + errors.closedEarly == 8)
    }

    private func runAgainst(_ fault: LyingEcho.Fault, _ backend: Backend) throws -> Interval {
        let limits = Limits(connectionsMax: 16)
        let server = try EchoServer(backend, limits: limits) { _ in LyingEcho(fault: fault) }
        defer { _ = server.stop() }
        var plan = plan(server.address, backend)
        // Nobody need wait for responses that will not come.
        plan.halfCloses = true
        return try run(plan).total
    }

    @Test(arguments: Backend.allCases)
    func countsRefusals(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        let address = server.address
        _ = server.stop()
        let result = try run(plan(address, backend)).total
        #expect(result.errors.refused == 8)
        #expect(result.messages == 0)
    }

    @Test(arguments: Backend.allCases)
    func readsSlowlyAndLosesNothing(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        defer { _ = server.stop() }
        var plan = plan(server.address, backend)
        plan.size = .even(1...100_000)
        plan.readDelayNanoseconds = 2 * .nanosecondsPerMillisecond
        plan.halfCloses = true
        let result = try run(plan).total
        #expect(result.integrity.isClean, "\(result.integrity.firstFault ?? "")")
        #expect(result.integrity.verifiedBytes > 0)
        #expect(result.errors.total == 0)
    }
}
