// The workloads beside requests in a closed loop, on both backends against an honest server; and a
// server that stalls, whose latencies are known beforehand.

import Engine
import Load
import Measure
import Net
import Support
import Testing

/// An echo that lets some bytes be.
private struct SilentEcho: Handler, ~Copyable {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict { .consume }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct WorkloadTests {
    private func plan(_ target: SocketAddress, _ backend: Backend) -> LoadPlan {
        var plan = LoadPlan(target: target, backend: backend)
        plan.connections = 8
        plan.verifies = true
        plan.seed = UInt64.random(in: 1...UInt64(UInt32.max))
        plan.warmupNanoseconds = 20 * .nanosecondsPerMillisecond
        plan.span = .nanoseconds(300 * .nanosecondsPerMillisecond)
        plan.timeoutNanoseconds = 5 * .nanosecondsPerSecond
        return plan
    }

    private func run(
        _ backend: Backend,
        _ change: (inout LoadPlan) -> Void
    ) throws -> (LoadOutcome, Counters) {
        let server = try EchoServer(backend)
        var plan = plan(server.address, backend)
        change(&plan)
        let outcome = try LoadRun(plan, server: nil).run()
        #expect(outcome.total.integrity.isClean, "seed \(plan.seed)")
        #expect(outcome.total.errors == LoadErrors(), "seed \(plan.seed)")
        return (outcome, server.stop())
    }

    // ---- crr ----

    @Test(arguments: Backend.allCases, [false, true])
    func aConnectionForEachRequest(_ backend: Backend, _ keepsTimeWait: Bool) throws {
        let (outcome, counters) = try run(backend) {
            $0.workload = .connectRequestClose
            $0.keepsTimeWait = keepsTimeWait
            $0.size = .even(1...5000)
        }
        let total = outcome.total
        #expect(total.messages > 50)
        #expect(total.connectLatency.count >= total.messages)
        #expect(total.firstByteLatency.count >= total.messages)
        #expect(counters.accepted == total.connectLatency.count)
        let reset = counters.terminations[.peerReset, undelivered: false]
        #expect(keepsTimeWait ? reset == 0 : reset > 0)
    }

    /// The latency of an exchange is not less than that of its parts.
    @Test func anExchangeBeginsWithItsConnect() throws {
        let (outcome, _) = try run(.epoll) { $0.workload = .connectRequestClose }
        let total = outcome.total
        #expect(total.latency.mean >= total.connectLatency.mean)
        #expect(total.latency.mean >= total.firstByteLatency.mean)
    }

    // ---- a number of messages ----

    @Test(arguments: Backend.allCases, [Workload.requestResponse, .connectRequestClose])
    func exactlySoManyMessages(_ backend: Backend, _ workload: Workload) throws {
        for workerCount in [1, 3] {
            let (outcome, _) = try run(backend) {
                $0.workload = workload
                $0.workerCount = workerCount
                $0.span = .messages(1001)
                $0.warmupNanoseconds = 0
                $0.depth = workload == .requestResponse ? 5 : 1
            }
            #expect(outcome.total.messages == 1001)
            #expect(outcome.total.latency.count == 1001)
        }
    }

    @Test func aNumberOfMessagesEndsWithoutAServer() throws {
        let server = try EchoServer(.epoll)
        var plan = plan(server.address, .uring)
        _ = server.stop()
        plan.workload = .connectRequestClose
        plan.span = .messages(100)
        plan.warmupNanoseconds = 0
        let total = try LoadRun(plan, server: nil).run().total
        #expect(total.messages == 0)
        #expect(total.errors.refused >= 100)
    }

    // ---- streams and idle connections ----

    @Test(arguments: Backend.allCases, StreamDirection.allCases)
    func streams(_ backend: Backend, _ direction: StreamDirection) throws {
        guard direction != .receive else { return }
        let (outcome, counters) = try run(backend) {
            $0.workload = .stream(direction)
            $0.size = .fixed(10_000)
            $0.verifies = direction == .both
        }
        let total = outcome.total
        #expect(total.messages > 0)
        let counted = direction == .both ? total.bytesReceived : total.bytesSent
        #expect(counted / 10_000 >= total.messages - 8)
        #expect(counters.bytesReceived >= total.bytesReceived)
    }

    @Test(arguments: Backend.allCases)
    func holdsConnectionsAndPingsAFew(_ backend: Backend) throws {
        let (outcome, counters) = try run(backend) {
            $0.workload = .idle(active: 2)
            $0.connections = 300
            $0.arrivals = .closed(thinkNanoseconds: 10 * .nanosecondsPerMillisecond)
        }
        #expect(counters.accepted == 300)
        // Two connections, a request every 10 ms and a bit.
        #expect((10...62).contains(outcome.total.messages), "\(outcome.total.messages)")
    }

    @Test(arguments: Backend.allCases)
    func connectsFromSeveralAddressesOverARamp(_ backend: Backend) throws {
        let (outcome, counters) = try run(backend) {
            $0.sources = ["127.0.0.2", "127.9.9.9"].compactMap { SocketAddress(host: $0, port: 0) }
            $0.rampNanoseconds = 200 * .nanosecondsPerMillisecond
        }
        #expect(counters.accepted == 8)
        #expect(outcome.total.messages > 0)
    }

    @Test func connectionsMayBeRegisteredFiles() throws {
        // Other tests may have left some.
        let before = OwnSockets.connectedCount
        let server = try EchoServer(.epoll)
        var plan = plan(server.address, .uring)
        plan.registersFiles = true
        plan.sources = [try #require(SocketAddress(host: "127.0.0.3", port: 0))]
        plan.connections = 64
        plan.resetShare = 0.5
        var most = 0
        let outcome = try LoadRun(plan, server: nil).run { _, _ in
            most = max(most, OwnSockets.connectedCount)
        }
        #expect(outcome.total.integrity.isClean)
        #expect(outcome.total.errors == LoadErrors())
        #expect(outcome.total.messages > 0)
        #expect(most <= before + 64, "the server's descriptors alone")
        let counters = server.stop()
        #expect(counters.accepted == 64)
        let reset = counters.terminations[.peerReset, undelivered: false]
        #expect((10...54).contains(reset), "half of 64, more or less: \(reset)")
    }

    // ---- servers that do not answer ----

    @Test(arguments: Backend.allCases)
    func cutsWhoDoesNotAnswerInTime(_ backend: Backend) throws {
        let server = try EchoServer(backend, limits: Limits(connectionsMax: 16)) { _ in
            SilentEcho()
        }
        defer { _ = server.stop() }
        var plan = plan(server.address, backend)
        plan.verifies = false
        plan.depth = 2
        plan.timeoutNanoseconds = 200 * .nanosecondsPerMillisecond
        plan.span = .nanoseconds(2 * .nanosecondsPerSecond)
        let outcome = try LoadRun(plan, server: nil).run()
        #expect(outcome.total.errors.timedOut == 16)
        #expect(outcome.total.errors.unanswered == 0)
        #expect(outcome.windowNanoseconds < .nanosecondsPerSecond, "nobody is left: the run ends")
    }

    // ---- open loop ----

    @Test(arguments: Backend.allCases, Arrivals.Spacing.allCases)
    func keepsARate(_ backend: Backend, _ spacing: Arrivals.Spacing) throws {
        let (outcome, _) = try run(backend) {
            $0.arrivals = .open(perSecond: 2000, spacing)
            $0.workerCount = 2
            $0.span = .nanoseconds(500 * .nanosecondsPerMillisecond)
        }
        let total = outcome.total
        let due = Double(outcome.windowNanoseconds) / 1e9 * 2000
        let found = Double(total.messages + total.droppedSlots)
        // A Poisson count of 1000 deviates by 32; four times that happens once in 16,000 runs.
        #expect(abs(found - due) < (spacing == .poisson ? 130 : 10), "\(found) of \(due)")
        #expect(total.latency.count == total.messages)
        #expect(total.serviceLatency.count == total.messages)
        #expect(total.serviceLatency.mean <= total.latency.mean)
    }

    @Test(arguments: Backend.allCases)
    func countsWhatNeverBegan(_ backend: Backend) throws {
        let server = try EchoServer(backend, limits: Limits(connectionsMax: 16)) { _ in
            SilentEcho()
        }
        defer { _ = server.stop() }
        var plan = plan(server.address, backend)
        plan.verifies = false
        plan.warmupNanoseconds = 0
        plan.timeoutNanoseconds = .nanosecondsPerSecond
        plan.arrivals = .open(perSecond: 1000, .constant)
        let outcome = try LoadRun(plan, server: nil).run()
        // The schedule is older than the window by what the change of phases took.
        let due = outcome.windowNanoseconds / 1_000_000
        // One on each connection is under way, and all others wait.
        #expect(outcome.total.droppedSlots + 8 >= due)
        #expect(outcome.total.droppedSlots <= due + 200)
    }
}
