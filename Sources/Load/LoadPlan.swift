// What a load run is to do, what its threads say to each other, and what comes of it.

public import Engine
public import Measure
public import Net
import Synchronization

/// A request-response run: closed loop, each connection with up to `depth` requests under way.
public struct LoadPlan: Sendable {
    /// Where to.
    public var target: SocketAddress
    /// The kernel interface of the load generator itself.
    public var backend: Backend
    /// Connections of all workers together.
    public var connections = 50
    /// Request sizes in bytes, chosen evenly from the range.
    public var smallestSize = 64
    public var largestSize = 64
    /// Requests under way on each connection.
    public var depth = 1
    /// Threads.
    public var workerCount = 1
    /// CPUs to pin them to, in turn; none where empty.
    public var cpus: [Int32] = []
    /// Whether every byte is keyed and checked.
    public var verifies = false
    /// Whether FIN follows the last request at once, instead of the last response.
    public var halfCloses = false
    /// How long a connection waits after each receive before it reads on; 0 reads at once.
    public var readDelayNanoseconds: UInt64 = 0
    /// Decides sizes and keys.
    public var seed: UInt64 = 1
    /// The size of a buffer of the load generator.
    public var bufferBytes = 64 * 1024

    /// A run with every default.
    public init(target: SocketAddress, backend: Backend) {
        self.target = target
        self.backend = backend
    }

    /// The connections of one worker: a consecutive share of all.
    func connections(ofWorker number: Int) -> Range<Int> {
        let first = connections * number / workerCount
        return first..<(connections * (number + 1) / workerCount)
    }
}

/// What went wrong, by class.
public struct LoadErrors: Codable, Equatable, Sendable {
    /// Connects that were refused.
    public var refused: UInt64 = 0
    /// Connects that failed otherwise.
    public var connectFailed: UInt64 = 0
    /// Connections that broke.
    public var reset: UInt64 = 0
    /// Connections that the server ended before its time.
    public var closedEarly: UInt64 = 0
    /// Requests without a response at the end.
    public var unanswered: UInt64 = 0
    /// Connects of which nothing was heard in time.
    public var connectTimedOut: UInt64 = 0
    /// Requests whose response did not come in time; their connection was cut.
    public var timedOut: UInt64 = 0

    /// None.
    public init() {}

    /// All together.
    public var total: UInt64 {
        refused + connectFailed + connectTimedOut + reset + closedEarly + unanswered + timedOut
    }

    enum CodingKeys: String, CodingKey {
        case refused
        case connectFailed = "connect_failed"
        case reset
        case closedEarly = "closed_early"
        case unanswered
        case connectTimedOut = "connect_timed_out"
        case timedOut = "timed_out"
    }

    mutating func add(_ other: LoadErrors) {
        refused += other.refused
        connectFailed += other.connectFailed
        reset += other.reset
        closedEarly += other.closedEarly
        unanswered += other.unanswered
        connectTimedOut += other.connectTimedOut
        timedOut += other.timedOut
    }
}

/// What a run measured.
public struct LoadResult: Sendable {
    /// Responses that were complete within the measured window, and their bytes.
    public var messages: UInt64 = 0
    public var bytes: UInt64 = 0
    /// From the moment a request is handed over until its response is complete.
    public var latency = Latency()
    /// From the request for a connection until it stands.
    public var connectLatency = Latency()
    /// The longest time in which a connection with a request under way heard nothing.
    public var longestSilenceNanoseconds: UInt64 = 0
    public var errors = LoadErrors()
    public var integrity = Integrity()

    /// Nothing yet.
    public init() {}

    mutating func add(_ other: LoadResult) {
        messages += other.messages
        bytes += other.bytes
        latency.add(other.latency)
        connectLatency.add(other.connectLatency)
        longestSilenceNanoseconds = max(longestSilenceNanoseconds, other.longestSilenceNanoseconds)
        errors.add(other.errors)
        integrity.add(other.integrity)
    }
}

/// What the threads of a run share: a few numbers, read by the workers and set by the main thread
/// or the other way round.
final class LoadControl: Sendable {
    /// The measured window in monotonic nanoseconds. Nothing counts until it is set.
    let windowStart = Atomic<UInt64>(.max)
    let windowEnd = Atomic<UInt64>(.max)
    /// No further request begins.
    let isEnding = Atomic<Bool>(false)
    /// Connections that stand or have failed, and those that have ended.
    let settled = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    let ended = Atomic<Int>(0)
    let result = Mutex(LoadResult())
}
