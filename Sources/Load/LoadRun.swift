// LoadRun: a run from its first connection to its last. The caller's thread keeps the time and
// gathers what the workers have measured; the workers do the work.

public import Engine
import Measure
import Net

/// How a run went.
public struct LoadOutcome: Sendable {
    /// What was measured in the window. Its errors, its integrity, its connects and its longest
    /// silence are those of the whole run.
    public var total = Interval()
    /// The window in parts of a second.
    public var intervals: [IntervalSummary] = []
    /// The length of the measured window; shorter than planned where a signal ended it, or where
    /// every connection had ended.
    public var windowNanoseconds: UInt64 = 0
    /// What this process spent in the window.
    public var client = Cost()
    /// What the server's process spent in the window; nil where it was not asked for.
    public var server: Cost?
    /// What TCP knew of the connections that have ended, as far as it was asked.
    public var transmissions = TransmissionSummary()
    /// The signal that ended the run early.
    public var signal: Int32?
    /// The engine's own counts.
    public var counters: [Counters] = []

    /// Nothing yet.
    public init() {}
}

extension LoadOutcome {
    /// Adds another run of the same plan: a later block of a comparison.
    public mutating func add(_ other: LoadOutcome) {
        let isFirst = windowNanoseconds == 0
        client = isFirst ? other.client : client.adding(other.client)
        if let more = other.server { server = server?.adding(more) ?? more }
        total.add(other.total)
        intervals += other.intervals
        windowNanoseconds += other.windowNanoseconds
        transmissions.add(other.transmissions)
        signal = signal ?? other.signal
        counters += other.counters
    }
}

/// What a process spent in a window; nil where it cannot be known.
public struct Cost: Equatable, Sendable {
    public var cpuNanoseconds: UInt64?
    /// Time in which its threads were ready to run and had no CPU.
    public var runQueueNanoseconds: UInt64?
    public var contextSwitches: UInt64?
    public var systemCalls: UInt64?
    /// The CPUs that its threads may run on.
    public var cpus: Set<Int32> = []

    /// Nothing known.
    public init() {}

    /// The sum with another window's; what one of them does not know is not known.
    func adding(_ other: Cost) -> Cost {
        func sum(_ path: KeyPath<Cost, UInt64?>) -> UInt64? {
            guard let one = self[keyPath: path], let two = other[keyPath: path] else { return nil }
            return one + two
        }
        var cost = Cost()
        cost.cpuNanoseconds = sum(\.cpuNanoseconds)
        cost.runQueueNanoseconds = sum(\.runQueueNanoseconds)
        cost.contextSwitches = sum(\.contextSwitches)
        cost.systemCalls = sum(\.systemCalls)
        cost.cpus = cpus.union(other.cpus)
        return cost
    }
}

/// The figures of one part of the window.
public struct IntervalSummary: Equatable, Sendable {
    /// From the beginning of the window.
    public var startNanoseconds: UInt64
    public var durationNanoseconds: UInt64
    public var messages: UInt64
    public var bytesReceived: UInt64
    public var p50: UInt64
    public var p99: UInt64
    public var longest: UInt64
    public var errors: UInt64

    /// The figures of an interval of a window that began at a moment.
    public init(_ interval: Interval, windowStart: UInt64) {
        startNanoseconds = interval.start > windowStart ? interval.start - windowStart : 0
        durationNanoseconds = interval.nanoseconds
        messages = interval.messages
        bytesReceived = interval.bytesReceived
        p50 = interval.latency.value(atPercentile: 50)
        p99 = interval.latency.value(atPercentile: 99)
        longest = interval.latency.longest
        errors = interval.errors.total
    }
}

/// Runs a plan.
public struct LoadRun {
    /// Told of every interval, and whether it belongs to the window.
    public typealias Observer = (_ interval: Interval, _ isMeasured: Bool) -> Void

    private let plan: LoadPlan
    private let server: Int32?

    /// - Parameter server: the process whose CPU time is accounted, if any.
    public init(_ plan: LoadPlan, server: Int32?) {
        self.plan = plan
        self.server = server
    }

    /// Connects, warms up, measures and ends. SIGINT and SIGTERM end it early;
    /// `HeldSignals.stopping.block` has been called.
    ///
    /// - Parameter observe: called each second and at the end of the window, on this thread.
    public func run(
        observe: @escaping Observer = { _, _ in }
    ) throws(StartFailure) -> LoadOutcome {
        let control: LoadControl
        do throws(SystemError) {
            control = try LoadControl(workerCount: plan.workerCount)
        } catch {
            throw .worker(error)
        }
        var conductor = Conductor(
            plan: plan,
            server: server,
            control: control,
            group: try startGroup(control),
            observe: observe
        )
        return conductor.conduct()
    }

    private func startGroup(_ control: LoadControl) throws(StartFailure) -> WorkerGroup {
        let plan = plan
        if case .stream(let direction) = plan.workload {
            return try WorkerGroup(groupPlan) { worker in
                Stream(plan, worker: worker, control: control, direction: direction)
            }
        }
        return try WorkerGroup(groupPlan) { worker in
            RequestResponse(plan, worker: worker, control: control)
        }
    }

    private var groupPlan: GroupPlan {
        var limits = Limits(connectionsMax: plan.connections(ofWorker: 0).count + 1)
        limits.bufferBytes = plan.bufferBytes
        limits.bufferCount = 2048
        var group = GroupPlan(backend: plan.backend, limits: limits)
        group.workerCount = plan.workerCount
        group.cpus = plan.cpus
        group.busyPolling = plan.busyPolling
        group.targets = plan.endpoints
        group.registersFiles = plan.registersFiles
        group.recordsConnections = plan.asksTCP
        group.policy.drainNanoseconds = .nanosecondsPerSecond
        group.name = "load"
        return group
    }
}
