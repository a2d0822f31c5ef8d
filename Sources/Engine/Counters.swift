// Counters: what a worker did, as plain numbers of its own. They are read after the worker has
// stopped, or copied out by the worker itself.

/// Counts of one worker since its start. All of them only grow.
public struct Counters: Sendable, Equatable {
    /// Connections accepted, and connections made.
    public var accepted: UInt64 = 0
    public var connected: UInt64 = 0
    /// Connections that another process had before.
    public var inherited: UInt64 = 0
    /// Connections that have ended, or are another process's now.
    public var closed: UInt64 = 0
    /// Receives that brought bytes, and those bytes.
    public var receives: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// Sends that completed, the bytes they took, and those that took less than was asked.
    public var sends: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var shortSends: UInt64 = 0
    /// Times that a connection began to go through pipes, and the bytes that went there: they are
    /// among those received.
    public var bypasses: UInt64 = 0
    public var bytesBypassed: UInt64 = 0
    /// Bytes that were received or produced and never sent, because the connection broke.
    public var bytesDropped: UInt64 = 0
    /// Turns of the loop: one `io_uring_enter` or `epoll_wait` each.
    public var turns: UInt64 = 0
    /// Times that looking for events before a sleep found some, and that it did not.
    public var spinHits: UInt64 = 0
    public var spinMisses: UInt64 = 0
    /// Nanoseconds of looking in which nothing was there.
    public var spinNanoseconds: UInt64 = 0
    /// Events handled.
    public var events: UInt64 = 0
    /// Receives that ended because no buffer was free.
    public var starved: UInt64 = 0
    /// Times that reading stopped because a peer did not read.
    public var throttled: UInt64 = 0
    /// Multishot operations that ended and were asked for again.
    public var rearmed: UInt64 = 0
    /// Turns in which the completion queue had overflowed.
    public var completionOverflows: UInt64 = 0
    /// Completions of a former owner of a slot.
    public var staleCompletions: UInt64 = 0
    /// Times that accepting failed for want of descriptors or memory.
    public var acceptFailures: UInt64 = 0
    /// How connections ended.
    public var terminations = TerminationCounts()
    /// Connections that were refused because their address had its share.
    public var refused: UInt64 = 0
    /// Records of connections that did not fit into the queue to the log.
    public var recordsDropped: UInt64 = 0
    /// Enters that the kernel answered with EINTR, EBUSY or EAGAIN.
    public var interruptedWaits: UInt64 = 0

    /// All counts zero.
    public init() {}

    /// The same counts in storage of their own: whoever keeps them costs the worker nothing later.
    var copy: Counters {
        var copy = self
        copy.terminations = TerminationCounts()
        copy.terminations.add(terminations)
        return copy
    }

    /// Adds another worker's counts.
    public mutating func add(_ other: Counters) {
        terminations.add(other.terminations)
        for field in Counters.fields { self[keyPath: field.path] += other[keyPath: field.path] }
    }

    /// Every count with its name, for reports.
    public static var fields: [(name: String, path: WritableKeyPath<Counters, UInt64>)] {
        [
            ("accepted", \.accepted), ("connected", \.connected), ("closed", \.closed),
            ("receives", \.receives), ("bytes_received", \.bytesReceived),
            ("sends", \.sends), ("bytes_sent", \.bytesSent), ("short_sends", \.shortSends),
            ("bypasses", \.bypasses), ("bytes_bypassed", \.bytesBypassed),
            ("bytes_dropped", \.bytesDropped), ("turns", \.turns), ("events", \.events),
            ("spin_hits", \.spinHits), ("spin_misses", \.spinMisses),
            ("spin_ns", \.spinNanoseconds),
            ("starved", \.starved), ("throttled", \.throttled), ("rearmed", \.rearmed),
            ("completion_overflows", \.completionOverflows),
            ("stale_completions", \.staleCompletions), ("accept_failures", \.acceptFailures),
            ("interrupted_waits", \.interruptedWaits), ("refused", \.refused),
            ("records_dropped", \.recordsDropped), ("inherited", \.inherited),
        ]
    }
}
