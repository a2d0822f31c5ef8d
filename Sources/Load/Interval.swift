// Interval: what a worker measured since it was last asked. The histograms in it are large and of
// fixed size: they go to and fro between a worker and the thread that keeps the time, and nothing
// is allocated while a run is measured.

public import Measure

/// What was measured in a stretch of time.
public struct Interval: Sendable {
    /// Its beginning and its end in monotonic nanoseconds.
    public internal(set) var start: UInt64 = 0
    public internal(set) var end: UInt64 = 0
    /// Responses that were complete; blocks of a stream.
    public internal(set) var messages: UInt64 = 0
    public internal(set) var bytesReceived: UInt64 = 0
    public internal(set) var bytesSent: UInt64 = 0
    public internal(set) var connectionsMade: UInt64 = 0
    /// From the moment a request was due, or was sent in a closed loop, until its response was
    /// complete.
    public internal(set) var latency = Latency()
    /// From the moment it was sent; in an open loop only.
    public internal(set) var serviceLatency = Latency()
    public internal(set) var connectLatency = Latency()
    /// Of `crr`: from the moment a connection stood until the first byte of its response.
    public internal(set) var firstByteLatency = Latency()
    /// How late requests began that nothing but this program held back; in an open loop only.
    public internal(set) var slip = Latency()
    /// How many requests left at once: in a turn; in an open loop, of those that waited for
    /// nothing but this program.
    public internal(set) var batches = Batches()
    /// Looking for events instead of sleeping: CPU time that nothing was done in.
    public internal(set) var lookedNanoseconds: UInt64 = 0
    /// Requests that were due and never began.
    public internal(set) var droppedSlots: UInt64 = 0
    /// The longest time in which a connection with a request under way heard nothing.
    public internal(set) var longestSilenceNanoseconds: UInt64 = 0
    public internal(set) var errors = LoadErrors()
    public internal(set) var integrity = Integrity()

    /// Nothing yet.
    public init() {}

    /// How long it lasted.
    public var nanoseconds: UInt64 { end - start }

    /// Adds another worker's interval, or a later one.
    public mutating func add(_ other: Interval) {
        start = start == 0 ? other.start : min(start, other.start)
        end = max(end, other.end)
        messages += other.messages
        bytesReceived += other.bytesReceived
        bytesSent += other.bytesSent
        connectionsMade += other.connectionsMade
        latency.add(other.latency)
        serviceLatency.add(other.serviceLatency)
        connectLatency.add(other.connectLatency)
        firstByteLatency.add(other.firstByteLatency)
        slip.add(other.slip)
        batches.add(other.batches)
        lookedNanoseconds += other.lookedNanoseconds
        droppedSlots += other.droppedSlots
        longestSilenceNanoseconds = max(longestSilenceNanoseconds, other.longestSilenceNanoseconds)
        errors.add(other.errors)
        integrity.add(other.integrity)
    }

    /// Empties it; the histograms keep their memory.
    mutating func reset() {
        start = 0
        end = 0
        messages = 0
        bytesReceived = 0
        bytesSent = 0
        connectionsMade = 0
        latency.reset()
        serviceLatency.reset()
        connectLatency.reset()
        firstByteLatency.reset()
        slip.reset()
        batches = Batches()
        lookedNanoseconds = 0
        droppedSlots = 0
        longestSilenceNanoseconds = 0
        errors = LoadErrors()
        integrity = Integrity()
    }
}

/// How many requests leave at once.
public struct Batches: Equatable, Sendable {
    private var requests: UInt64 = 0
    private var squares: UInt64 = 0

    /// Counts requests that left in one turn.
    mutating func count(_ size: UInt64) {
        requests &+= size
        squares &+= size &* size
    }

    mutating func add(_ other: Batches) {
        requests += other.requests
        squares += other.squares
    }

    /// How many leave together with a request taken at random, itself among them.
    public var typical: Double? {
        requests == 0 ? nil : Double(squares) / Double(requests)
    }
}
