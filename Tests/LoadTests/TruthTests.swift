// Truth: servers whose latencies are known beforehand. What an open loop reports has to agree with
// the arithmetic; a closed loop has to show how little of a stall it sees.

import Engine
import Glibc
import Load
import Measure
import Net
import Support
import Synchronization
import Testing

/// When a server stood still, in monotonic nanoseconds.
private final class Stalls: Sendable {
    private let list = Mutex<[Range<UInt64>]>([])

    func add(_ stall: Range<UInt64>) { list.withLock { $0.append(stall) } }
    var all: [Range<UInt64>] { list.withLock { $0 } }
}

/// An echo that stands still for 100 ms once a second, whatever arrives.
private struct StallingEcho: Handler, ~Copyable {
    let stalls: Stalls

    mutating func started(_ effects: inout Effects) {
        effects.wake(at: Clock.monotonicNanoseconds() + .nanosecondsPerSecond / 2)
    }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict { .echo }

    mutating func woke(_ effects: inout Effects) {
        let start = Clock.monotonicNanoseconds()
        usleep(100_000)
        stalls.add(start..<Clock.monotonicNanoseconds())
        effects.wake(at: start + .nanosecondsPerSecond)
    }
}

/// An echo that answers each request after the same time.
private struct DelayingEcho: Handler, ~Copyable {
    var production: Production { .most }

    let delayNanoseconds: UInt64
    private var waiting: [(moment: UInt64, connection: ConnectionID, byteCount: Int)] = []
    private var owed: [UInt32: Int] = [:]

    init(delayNanoseconds: UInt64) { self.delayNanoseconds = delayNanoseconds }

    mutating func started(_ effects: inout Effects) { Thread.makeTimersExact() }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let moment = Clock.monotonicNanoseconds() + delayNanoseconds
        waiting.append((moment, connection, bytes.byteCount))
        effects.wake(at: waiting[0].moment)
        return .consume
    }

    mutating func woke(_ effects: inout Effects) {
        let now = Clock.monotonicNanoseconds()
        while let first = waiting.first, first.moment <= now {
            waiting.removeFirst()
            owed[first.connection.slot, default: 0] += first.byteCount
            effects.produce(on: first.connection)
        }
        if let first = waiting.first { effects.wake(at: first.moment) }
    }

    mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        let count = owed.removeValue(forKey: connection.slot) ?? 0
        precondition(count <= bytes.byteCount)
        return count
    }
}

@Suite(.serialized, .timeLimit(.minutes(2)))
struct TruthTests {
    /// Not whole: each stall is met at another place of an interval, so that four of them see it
    /// as finely as a rate four times as high. The server of a debug build needs 40 us for each
    /// request that has waited, so a much higher rate would be late for its own reason.
    private static let ratePerSecond = 300.25

    private func plan(_ target: SocketAddress, _ backend: Backend) -> LoadPlan {
        var plan = LoadPlan(target: target, backend: backend)
        plan.connections = 200
        plan.warmupNanoseconds = 100 * .nanosecondsPerMillisecond
        plan.span = .nanoseconds(4 * .nanosecondsPerSecond)
        return plan
    }

    private func stalling(_ stalls: Stalls) throws -> EchoServer {
        try EchoServer(.epoll, limits: Limits(connectionsMax: 256)) { _ in
            StallingEcho(stalls: stalls)
        }
    }

    /// Who is due during a stall waits until its end, and everybody else does not wait.
    @Test(arguments: Backend.allCases)
    func anOpenLoopSeesAllOfAStall(_ backend: Backend) throws {
        let stalls = Stalls()
        let server = try stalling(stalls)
        var plan = plan(server.address, backend)
        plan.arrivals = .open(perSecond: TruthTests.ratePerSecond, .constant)
        let outcome = try LoadRun(plan, server: nil).run()
        _ = server.stop()
        let total = outcome.total
        let window = Double(total.end - total.start)
        // A stall that ends behind the window goes on for those who were due within it.
        let stalled = stalls.all.filter { $0.lowerBound < total.end && $0.upperBound > total.start }
        #expect(stalled.count >= 3)
        let length = Double(stalled.reduce(0) { $0 + $1.count }) / Double(stalled.count)
        let spacing = window / Double(stalled.count)
        for percentile in [95.0, 97, 99] {
            // Longer than x waits who is due in a stall, and more than x before its end.
            let expected: Double = length - (1 - percentile / 100) * spacing
            let found = Double(total.latency.value(atPercentile: percentile))
            // 2 %, and what a debug build needs to answer all who have waited.
            #expect(
                abs(found - expected) <= 0.02 * expected + 2e6,
                "p\(percentile): \(found / 1e6) ms, and \(expected / 1e6) by the arithmetic"
            )
        }
    }

    /// Each connection waits once for a stall, however many requests would have come meanwhile.
    @Test func aClosedLoopHardlySeesIt() throws {
        let stalls = Stalls()
        let server = try stalling(stalls)
        var plan = plan(server.address, .epoll)
        plan.connections = 2
        let total = try LoadRun(plan, server: nil).run().total
        _ = server.stop()
        #expect(total.latency.longest > 90_000_000)
        // A tenth of the time the server stood still, and 99 % of the requests know nothing of it.
        #expect(total.latency.value(atPercentile: 99) < 20_000_000)
    }

    @Test(arguments: Backend.allCases)
    func aFixedDelayIsFound(_ backend: Backend) throws {
        let delay: UInt64 = 50_000_000
        let server = try EchoServer(.epoll, limits: Limits(connectionsMax: 256)) { _ in
            DelayingEcho(delayNanoseconds: delay)
        }
        var plan = plan(server.address, backend)
        plan.arrivals = .open(perSecond: TruthTests.ratePerSecond, .poisson)
        plan.span = .nanoseconds(2 * .nanosecondsPerSecond)
        let total = try LoadRun(plan, server: nil).run().total
        _ = server.stop()
        #expect(total.errors == LoadErrors())
        #expect(total.latency.count > 500)
        for latency in [total.latency, total.serviceLatency] {
            let found = Double(latency.value(atPercentile: 50))
            #expect(found >= Double(delay) && found <= 1.02 * Double(delay), "\(found / 1e6) ms")
        }
    }
}
