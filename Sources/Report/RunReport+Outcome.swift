// How a run becomes its report: totals by the window, distributions, what it cost, and the audit.

public import Load
public import Measure

extension RunReport {
    /// The report of a run.
    ///
    /// - Parameters:
    ///   - targets: the servers as they were named.
    ///   - backendExplanation: how the backend came to be chosen.
    public init(
        _ plan: LoadPlan,
        _ outcome: LoadOutcome,
        manifest: Manifest,
        targets: [String],
        backendExplanation: String
    ) {
        let total = outcome.total
        let seconds = max(Double(outcome.windowNanoseconds) / 1e9, 1e-9)
        self.manifest = manifest
        self.plan = PlanReport(plan, targets: targets, backendExplanation: backendExplanation)
        windowNanoseconds = outcome.windowNanoseconds
        endedBySignal = outcome.signal
        messages = total.messages
        messagesPerSecond = Double(total.messages) / seconds
        bytesReceivedPerSecond = Double(total.bytesReceived) / seconds
        bytesSentPerSecond = Double(total.bytesSent) / seconds
        connectionsMade = total.connectionsMade
        connectionsPerSecond = Double(total.connectionsMade) / seconds
        latency = LatencyReport(total.latency)
        serviceLatency = plan.arrivals.isOpen ? LatencyReport(total.serviceLatency) : nil
        connectLatency = LatencyReport(total.connectLatency)
        if total.firstByteLatency.count > 0 {
            firstByteLatency = LatencyReport(total.firstByteLatency)
        }
        longestSilenceNanoseconds = total.longestSilenceNanoseconds
        errors = total.errors
        integrity = total.integrity
        client = CostReport(outcome.client, total.messages, seconds: seconds)
        server = outcome.server.map { CostReport($0, total.messages, seconds: seconds) }
        network = NetworkReport(outcome.transmissions)
        audit = AuditReport(plan, outcome)
        intervals = outcome.intervals.map(IntervalReport.init)
    }
}

extension PlanReport {
    init(_ plan: LoadPlan, targets: [String], backendExplanation: String) {
        self.targets = targets
        self.backendExplanation = backendExplanation
        workload = plan.workload.name
        connections = plan.connections
        workers = plan.workerCount
        cpus = plan.cpus
        backend = plan.backendName
        size = plan.size.text
        depth = plan.depth
        thinkNanoseconds = 0
        switch plan.arrivals {
        case .closed(let think):
            arrivals = "closed"
            thinkNanoseconds = think
        case .open(let perSecond, let spacing):
            arrivals = spacing.rawValue
            rate = perSecond
        }
        warmupNanoseconds = plan.warmupNanoseconds
        switch plan.span {
        case .nanoseconds(let span): durationNanoseconds = span
        case .messages(let number): count = number
        }
        verifies = plan.verifies
        seed = plan.seed
    }
}

extension Workload {
    /// The name of its command.
    public var name: String {
        switch self {
        case .requestResponse: "rr"
        case .connectRequestClose: "crr"
        case .stream: "stream"
        case .idle: "idle"
        }
    }
}

extension NetworkReport {
    init?(_ transmissions: TransmissionSummary) {
        guard transmissions.connections > 0 else { return nil }
        connections = transmissions.connections
        roundTripMedianMicroseconds = Double(transmissions.roundTripMedianNanoseconds) / 1000
        roundTripLongestMicroseconds = Double(transmissions.roundTripLongestNanoseconds) / 1000
        retransmits = transmissions.retransmits
    }
}

extension IntervalReport {
    init(_ interval: IntervalSummary) {
        let seconds = Swift.max(Double(interval.durationNanoseconds) / 1e9, 1e-9)
        startNanoseconds = interval.startNanoseconds
        durationNanoseconds = interval.durationNanoseconds
        messages = interval.messages
        messagesPerSecond = Double(interval.messages) / seconds
        bytesReceivedPerSecond = Double(interval.bytesReceived) / seconds
        p50 = interval.p50
        p99 = interval.p99
        max = interval.longest
        errors = interval.errors
    }
}
