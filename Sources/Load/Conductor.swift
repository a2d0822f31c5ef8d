// Conductor: keeps the time of a run. It leads the workers through the phases, asks them each
// second for what they have measured, and adds that up.

import Engine
import Measure
import Net
import Synchronization

/// A run under way, seen from the thread that keeps its time.
struct Conductor {
    private let plan: LoadPlan
    private let server: Int32?
    private let control: LoadControl
    private let group: WorkerGroup
    private let observe: LoadRun.Observer
    private var outcome = LoadOutcome()
    /// What is of the whole run, and not of its window: errors, integrity, connects.
    private var whole = Interval()
    private var windowStart: UInt64 = 0
    private var nextCollection: UInt64 = 0

    /// How often something is looked for that rings no bell.
    private static let pollInterval: UInt64 = 2 * .nanosecondsPerMillisecond
    private static let slowPollInterval: UInt64 = 100 * .nanosecondsPerMillisecond
    private static let interval: UInt64 = .nanosecondsPerSecond

    init(
        plan: LoadPlan,
        server: Int32?,
        control: LoadControl,
        group: WorkerGroup,
        observe: @escaping LoadRun.Observer
    ) {
        self.plan = plan
        self.server = server
        self.control = control
        self.group = group
        self.observe = observe
    }

    mutating func conduct() -> LoadOutcome {
        connect()
        warmUp()
        measure()
        end()
        return outcome
    }

    private var isInterrupted: Bool { outcome.signal != nil }

    // ---- the phases ----

    /// Waits until every connection stands or has failed. A session of `crr` has none yet.
    private mutating func connect() {
        guard plan.workload != .connectRequestClose else { return }
        let (plan, control) = (plan, control)
        wait(forAtMost: plan.rampNanoseconds + plan.timeoutNanoseconds, Conductor.pollInterval) {
            control.settled.load(ordering: .relaxed) >= plan.connections
        }
    }

    /// Whether there is nobody left to measure with.
    private var isDeserted: Bool {
        plan.workload != .connectRequestClose && control.connections.load(ordering: .relaxed) == 0
    }

    private mutating func warmUp() {
        begin(.warmingUp)
        guard !isDeserted else { return }
        wait(forAtMost: plan.warmupNanoseconds, Conductor.slowPollInterval) { false }
    }

    private mutating func measure() {
        let meter = CostMeter(server: server, countsSystemCalls: plan.countsSystemCalls)
        begin(.measuring)
        windowStart = Clock.monotonicNanoseconds()
        if !isDeserted {
            let (control, workerCount) = (control, plan.workerCount)
            let lasts = plan.workload != .connectRequestClose
            func isOver() -> Bool {
                control.finished.load(ordering: .relaxed) == workerCount
                    || lasts && control.connections.load(ordering: .relaxed) == 0
            }
            switch plan.span {
            case .nanoseconds(let span):
                wait(forAtMost: span, Conductor.slowPollInterval, until: isOver)
            case .messages:
                wait(forAtMost: .max / 2, Conductor.pollInterval, until: isOver)
            }
        }
        (outcome.client, outcome.server) = meter.read()
        begin(.ending)
        outcome.windowNanoseconds = outcome.total.nanoseconds
    }

    /// Waits for the last responses and the ends of all connections.
    private mutating func end() {
        let control = control
        let deadline = Clock.monotonicNanoseconds() + plan.timeoutNanoseconds
        while control.connections.load(ordering: .relaxed) > 0,
            Clock.monotonicNanoseconds() < deadline
        {
            if let signal = HeldSignals.stopping.wait(nanoseconds: Conductor.pollInterval) {
                outcome.signal = signal
                break
            }
        }
        outcome.counters = group.stop()
        let rest = control.gather()
        // In a closed loop only what came within the window counts.
        if plan.arrivals.isOpen || plan.span.isCount {
            outcome.total.addLate(rest)
            observe(rest, true)
        }
        addToWhole(rest)
        outcome.total.takeWhole(from: whole)
        takeRecords()
    }

    // ---- measuring ----

    private mutating func begin(_ phase: Phase) {
        let measured = control.phase == .measuring
        control.begin(phase)
        collect(isMeasured: measured)
    }

    /// Asks the workers for what they have measured since they were last asked.
    private mutating func collect(isMeasured: Bool) {
        let interval = control.collect(from: group)
        addToWhole(interval)
        if isMeasured {
            outcome.total.add(interval)
            outcome.intervals.append(IntervalSummary(interval, windowStart: windowStart))
        }
        takeRecords()
        observe(interval, isMeasured)
        nextCollection = Clock.monotonicNanoseconds() + Conductor.interval
    }

    private mutating func addToWhole(_ interval: Interval) {
        whole.addWhole(interval)
    }

    private mutating func takeRecords() {
        group.takeRecords { outcome.transmissions.add($0.transmission) }
    }

    /// Waits until something is so, a signal comes, or the time is over, and collects each second.
    private mutating func wait(
        forAtMost nanoseconds: UInt64,
        _ pollInterval: UInt64,
        until isSo: () -> Bool
    ) {
        let start = Clock.monotonicNanoseconds()
        while !isInterrupted, !isSo() {
            let now = Clock.monotonicNanoseconds()
            guard now - start < nanoseconds else { return }
            if now >= nextCollection, control.phase != .connecting {
                collect(isMeasured: control.phase == .measuring)
            }
            let rest = min(nanoseconds - (now - start), pollInterval)
            outcome.signal = HeldSignals.stopping.wait(nanoseconds: rest)
        }
    }

}

extension Span {
    var isCount: Bool {
        if case .messages = self { true } else { false }
    }
}

extension Interval {
    /// Adds the responses that came after the window to requests of the window.
    fileprivate mutating func addLate(_ rest: Interval) {
        messages += rest.messages
        latency.add(rest.latency)
        serviceLatency.add(rest.serviceLatency)
        droppedSlots += rest.droppedSlots
    }

    /// Adds what is counted over the whole run.
    fileprivate mutating func addWhole(_ interval: Interval) {
        connectLatency.add(interval.connectLatency)
        firstByteLatency.add(interval.firstByteLatency)
        errors.add(interval.errors)
        integrity.add(interval.integrity)
        longestSilenceNanoseconds = max(
            longestSilenceNanoseconds,
            interval.longestSilenceNanoseconds
        )
    }

    fileprivate mutating func takeWhole(from whole: Interval) {
        connectLatency = whole.connectLatency
        firstByteLatency = whole.firstByteLatency
        errors = whole.errors
        integrity = whole.integrity
        longestSilenceNanoseconds = whole.longestSilenceNanoseconds
    }
}
