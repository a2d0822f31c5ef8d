// LoadRun: a run from its first connection to its last. The caller's thread keeps the time; the
// workers do the work.

public import Engine
import Measure
import Net
import Synchronization

/// How a run went.
public struct LoadOutcome: Sendable {
    /// What was measured.
    public var result: LoadResult
    /// The length of the measured window; shorter than planned where a signal ended it.
    public var windowNanoseconds: UInt64
    /// CPU time of this process in the window.
    public var clientNanoseconds: UInt64?
    /// CPU time of the server process in the window.
    public var serverNanoseconds: UInt64?
    /// The signal that ended the run early.
    public var signal: Int32?
    /// The engine's own counts.
    public var counters: [Counters]
}

/// Runs a plan.
public struct LoadRun {
    private let plan: LoadPlan
    private let server: Int32?

    /// How long connections may take to be made, and how long the last responses may take.
    private static let connectGrace: UInt64 = 10 * .nanosecondsPerSecond
    private static let endGrace: UInt64 = 10 * .nanosecondsPerSecond
    private static let pollInterval: UInt64 = 2 * .nanosecondsPerMillisecond

    /// - Parameter server: the process whose CPU time is accounted, if any.
    public init(_ plan: LoadPlan, server: Int32?) {
        self.plan = plan
        self.server = server
    }

    /// Connects, warms up, measures and ends. SIGINT and SIGTERM end it early; `StopSignal.block`
    /// has been called.
    public func run(
        warmupNanoseconds: UInt64,
        durationNanoseconds: UInt64
    ) throws(StartFailure) -> LoadOutcome {
        let control = LoadControl()
        let plan = self.plan
        let group = try WorkerGroup(groupPlan) { worker in
            RequestResponse(plan, worker: worker, control: control)
        }
        var signal = wait(forAtMost: LoadRun.connectGrace) {
            control.settled.load(ordering: .relaxed) >= plan.connections
        }
        let stands = plan.connections - control.failed.load(ordering: .relaxed)
        if signal == nil, stands > 0 { signal = StopSignal.wait(nanoseconds: warmupNanoseconds) }

        let before = sample()
        let start = Clock.monotonicNanoseconds()
        control.windowStart.store(start, ordering: .relaxed)
        control.windowEnd.store(start + durationNanoseconds, ordering: .relaxed)
        if signal == nil, stands > 0 { signal = StopSignal.wait(nanoseconds: durationNanoseconds) }
        let after = sample()
        let end = min(Clock.monotonicNanoseconds(), start + durationNanoseconds)
        control.windowEnd.store(end, ordering: .relaxed)

        control.isEnding.store(true, ordering: .releasing)
        group.wake()
        _ = wait(forAtMost: LoadRun.endGrace) {
            control.ended.load(ordering: .relaxed) >= stands
        }
        let counters = group.stop()
        return LoadOutcome(
            result: control.result.withLock { $0 },
            windowNanoseconds: end - start,
            clientNanoseconds: difference(before.client, after.client),
            serverNanoseconds: difference(before.server, after.server),
            signal: signal,
            counters: counters
        )
    }

    private var groupPlan: GroupPlan {
        var limits = Limits(connectionsMax: plan.connections(ofWorker: 0).count + 1)
        limits.bufferBytes = plan.bufferBytes
        limits.bufferCount = 2048
        var group = GroupPlan(backend: plan.backend, limits: limits)
        group.workerCount = plan.workerCount
        group.cpus = plan.cpus
        group.targets = [plan.target]
        group.policy.drainNanoseconds = .nanosecondsPerSecond
        group.name = "load"
        return group
    }

    /// Waits until something is so, a signal comes, or the time is over.
    private func wait(forAtMost nanoseconds: UInt64, until isSo: () -> Bool) -> Int32? {
        let deadline = Clock.monotonicNanoseconds() + nanoseconds
        while !isSo(), Clock.monotonicNanoseconds() < deadline {
            if let signal = StopSignal.wait(nanoseconds: LoadRun.pollInterval) { return signal }
        }
        return nil
    }

    private func sample() -> (client: UInt64?, server: UInt64?) {
        (
            ProcessorTime.nanoseconds(ofProcess: Host.processID),
            server.flatMap { ProcessorTime.nanoseconds(ofProcess: $0) }
        )
    }

    private func difference(_ before: UInt64?, _ after: UInt64?) -> UInt64? {
        guard let before, let after, after >= before else { return nil }
        return after - before
    }
}
