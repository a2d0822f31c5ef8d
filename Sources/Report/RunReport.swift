// RunReport: everything that a run of ringload says of itself, as one value. The text, the JSON,
// the CSV and the page are made of it and of nothing else, so that what was saved can be shown,
// compared and repeated later. The keys of the JSON form carry their units and are documented in
// the README.

public import Load
public import Measure

/// What a run was asked to do, found out, and measured.
public struct RunReport: Codable, Equatable, Sendable {
    /// The version of this form.
    public var format = 1
    /// On what and by which command the run was made.
    public var manifest: Manifest
    /// What was asked for.
    public var plan: PlanReport

    /// The measured window; shorter than asked for where a signal ended it.
    public var windowNanoseconds: UInt64 = 0
    /// The signal that ended the run early.
    public var endedBySignal: Int32?
    /// Responses completed in the window; blocks of bytes for a stream.
    public var messages: UInt64 = 0
    public var messagesPerSecond = 0.0
    public var bytesReceivedPerSecond = 0.0
    public var bytesSentPerSecond = 0.0
    /// Connections made in the window.
    public var connectionsMade: UInt64 = 0
    public var connectionsPerSecond = 0.0

    /// From the moment a request was due (open loop) or sent (closed loop) to its whole response.
    public var latency: LatencyReport
    /// From the moment a request was sent; in an open loop only, where it is not the same.
    public var serviceLatency: LatencyReport?
    /// From the request for a connection until it stood.
    public var connectLatency: LatencyReport
    /// From the moment a connection stood to the first byte of its first response.
    public var firstByteLatency: LatencyReport?
    /// The longest time in which a connection with a request under way heard nothing.
    public var longestSilenceNanoseconds: UInt64 = 0

    public var errors: LoadErrors
    public var integrity: Integrity
    /// What the run cost this process, and the server's where it is known.
    public var client: CostReport
    public var server: CostReport?
    /// What TCP knew of the connections when they ended.
    public var network: NetworkReport?
    public var audit: AuditReport
    public var intervals: [IntervalReport] = []

    /// A report of a run in which nothing was measured yet.
    public init(
        manifest: Manifest,
        plan: PlanReport,
        latency: LatencyReport = LatencyReport(Latency()),
        connectLatency: LatencyReport = LatencyReport(Latency()),
        errors: LoadErrors = LoadErrors(),
        integrity: Integrity = Integrity(),
        client: CostReport = CostReport(),
        audit: AuditReport = AuditReport(verdict: "VALID", isValid: true)
    ) {
        self.manifest = manifest
        self.plan = plan
        self.latency = latency
        self.connectLatency = connectLatency
        self.errors = errors
        self.integrity = integrity
        self.client = client
        self.audit = audit
    }

    enum CodingKeys: String, CodingKey {
        case format, manifest, plan
        case windowNanoseconds = "window_ns"
        case endedBySignal = "ended_by_signal"
        case messages
        case messagesPerSecond = "messages_per_second"
        case bytesReceivedPerSecond = "bytes_received_per_second"
        case bytesSentPerSecond = "bytes_sent_per_second"
        case connectionsMade = "connections_made"
        case connectionsPerSecond = "connections_per_second"
        case latency = "latency_ns"
        case serviceLatency = "service_latency_ns"
        case connectLatency = "connect_latency_ns"
        case firstByteLatency = "first_byte_latency_ns"
        case longestSilenceNanoseconds = "longest_silence_ns"
        case errors, integrity, client, server, network, audit, intervals
    }
}

/// What a run was asked for, as it was understood.
public struct PlanReport: Codable, Equatable, Sendable {
    /// `rr`, `crr`, `stream` or `idle`.
    public var workload: String
    public var targets: [String]
    public var connections: Int
    public var workers: Int
    public var cpus: [Int32]
    /// `uring` or `epoll`, and how it came to be chosen.
    public var backend: String
    public var backendExplanation: String
    /// As written on the command line: `64`, `1-64k`, `log:1-64k`, `64:9,16k:1`.
    public var size: String
    public var depth: Int
    /// `closed`, `constant` or `poisson`.
    public var arrivals: String
    /// Requests per second that were asked for; in an open loop only.
    public var rate: Double?
    public var thinkNanoseconds: UInt64
    public var warmupNanoseconds: UInt64
    /// How long, or how many messages.
    public var durationNanoseconds: UInt64?
    public var count: UInt64?
    public var verifies: Bool
    /// Repeats sizes, keys and arrivals.
    public var seed: UInt64

    /// Whether requests were due at times that did not wait for responses.
    public var isOpenLoop: Bool { rate != nil }

    /// A plan; what is not named is that of a closed loop without think time.
    public init(
        workload: String,
        targets: [String],
        connections: Int,
        workers: Int,
        cpus: [Int32] = [],
        backend: String,
        backendExplanation: String,
        size: String,
        depth: Int = 1,
        arrivals: String = "closed",
        rate: Double? = nil,
        thinkNanoseconds: UInt64 = 0,
        warmupNanoseconds: UInt64 = 0,
        durationNanoseconds: UInt64? = nil,
        count: UInt64? = nil,
        verifies: Bool = false,
        seed: UInt64
    ) {
        self.workload = workload
        self.targets = targets
        self.connections = connections
        self.workers = workers
        self.cpus = cpus
        self.backend = backend
        self.backendExplanation = backendExplanation
        self.size = size
        self.depth = depth
        self.arrivals = arrivals
        self.rate = rate
        self.thinkNanoseconds = thinkNanoseconds
        self.warmupNanoseconds = warmupNanoseconds
        self.durationNanoseconds = durationNanoseconds
        self.count = count
        self.verifies = verifies
        self.seed = seed
    }

    enum CodingKeys: String, CodingKey {
        case workload, targets, connections, workers, cpus, backend
        case backendExplanation = "backend_explanation"
        case size, depth, arrivals, rate
        case thinkNanoseconds = "think_ns"
        case warmupNanoseconds = "warmup_ns"
        case durationNanoseconds = "duration_ns"
        case count
        case verifies = "verify"
        case seed
    }
}

/// A distribution of durations, in nanoseconds.
public struct LatencyReport: Codable, Equatable, Sendable {
    public var count: UInt64
    public var mean: Double
    public var p50: UInt64
    public var p90: UInt64
    public var p99: UInt64
    public var p999: UInt64
    public var p9999: UInt64
    public var max: UInt64
    /// The whole distribution: ascending percentiles from 0 to 100, each with its duration.
    public var curve: [CurvePoint]

    enum CodingKeys: String, CodingKey {
        case count, mean, p50, p90, p99
        case p999 = "p99_9"
        case p9999 = "p99_99"
        case max, curve
    }
}

/// What a process spent in the window; nil where it cannot be known.
public struct CostReport: Codable, Equatable, Sendable {
    public var cpuNanosecondsPerMessage: Double?
    public var systemCallsPerMessage: Double?
    public var contextSwitchesPerMessage: Double?
    /// CPU time by the window: 1 is one CPU, busy all the time.
    public var cpuShare: Double?

    /// What is known of a process.
    public init(
        cpuNanosecondsPerMessage: Double? = nil,
        systemCallsPerMessage: Double? = nil,
        contextSwitchesPerMessage: Double? = nil,
        cpuShare: Double? = nil
    ) {
        self.cpuNanosecondsPerMessage = cpuNanosecondsPerMessage
        self.systemCallsPerMessage = systemCallsPerMessage
        self.contextSwitchesPerMessage = contextSwitchesPerMessage
        self.cpuShare = cpuShare
    }

    enum CodingKeys: String, CodingKey {
        case cpuNanosecondsPerMessage = "cpu_ns_per_message"
        case systemCallsPerMessage = "system_calls_per_message"
        case contextSwitchesPerMessage = "context_switches_per_message"
        case cpuShare = "cpu_share"
    }
}

/// What TCP knew of the run's connections (TCP_INFO).
public struct NetworkReport: Codable, Equatable, Sendable {
    /// Connections that were asked.
    public var connections: UInt64
    public var roundTripMedianMicroseconds: Double
    public var roundTripLongestMicroseconds: Double
    public var retransmits: UInt64

    /// What TCP knew of so many connections.
    public init(
        connections: UInt64,
        roundTripMedianMicroseconds: Double,
        roundTripLongestMicroseconds: Double,
        retransmits: UInt64
    ) {
        self.connections = connections
        self.roundTripMedianMicroseconds = roundTripMedianMicroseconds
        self.roundTripLongestMicroseconds = roundTripLongestMicroseconds
        self.retransmits = retransmits
    }

    enum CodingKeys: String, CodingKey {
        case connections
        case roundTripMedianMicroseconds = "round_trip_p50_us"
        case roundTripLongestMicroseconds = "round_trip_max_us"
        case retransmits
    }
}

/// Whether the run can be believed.
public struct AuditReport: Codable, Equatable, Sendable {
    /// `VALID`, or `INVALID: ` and why.
    public var verdict: String
    public var isValid: Bool
    /// What a reader should know besides, a sentence each.
    public var notes: [String] = []
    /// How late requests left that nothing but this program held back; in an open loop only.
    public var scheduleSlip: LatencyReport?
    /// CPU time of the workers by the window and their number.
    public var cpuShare: Double?
    /// Time in which the workers were ready to run and had no CPU, by the window and their number.
    public var runQueueShare: Double?
    /// Requests that were due in the window and never began.
    public var droppedSlots: UInt64 = 0
    /// How many requests left at once, for a request taken at random.
    public var bunching: Double?

    /// A verdict; the rest is set afterwards.
    public init(verdict: String, isValid: Bool) {
        self.verdict = verdict
        self.isValid = isValid
    }

    enum CodingKeys: String, CodingKey {
        case verdict
        case isValid = "valid"
        case notes
        case scheduleSlip = "schedule_slip_ns"
        case cpuShare = "cpu_share"
        case runQueueShare = "run_queue_share"
        case droppedSlots = "dropped_slots"
        case bunching
    }
}

/// What was measured in one interval of the window.
public struct IntervalReport: Codable, Equatable, Sendable {
    /// From the beginning of the window.
    public var startNanoseconds: UInt64
    public var durationNanoseconds: UInt64
    public var messages: UInt64
    public var messagesPerSecond: Double
    public var bytesReceivedPerSecond: Double
    public var p50: UInt64
    public var p99: UInt64
    public var max: UInt64
    public var errors: UInt64

    /// An interval in which so much was measured.
    public init(
        startNanoseconds: UInt64,
        durationNanoseconds: UInt64,
        messages: UInt64,
        messagesPerSecond: Double,
        bytesReceivedPerSecond: Double,
        p50: UInt64,
        p99: UInt64,
        max: UInt64,
        errors: UInt64
    ) {
        self.startNanoseconds = startNanoseconds
        self.durationNanoseconds = durationNanoseconds
        self.messages = messages
        self.messagesPerSecond = messagesPerSecond
        self.bytesReceivedPerSecond = bytesReceivedPerSecond
        self.p50 = p50
        self.p99 = p99
        self.max = max
        self.errors = errors
    }

    enum CodingKeys: String, CodingKey {
        case startNanoseconds = "start_ns"
        case durationNanoseconds = "duration_ns"
        case messages
        case messagesPerSecond = "messages_per_second"
        case bytesReceivedPerSecond = "bytes_received_per_second"
        case p50 = "p50_ns"
        case p99 = "p99_ns"
        case max = "max_ns"
        case errors
    }
}
