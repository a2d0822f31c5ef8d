// Limits: every capacity of a worker, fixed at its start and computed here as a commented sum.
// Nothing grows later: what is full waits or is refused.

import Net
import URing

/// The capacities of one worker.
public struct Limits: Sendable, Equatable {
    /// Connections at once. At least 1.
    public var connectionsMax: Int
    /// Connections that each accepted one comes to have: itself, and those that the handler makes
    /// for it. At least 1.
    public var slotsPerClient = 1
    /// Buffers in the pool: a power of two from 2 to 32768 (a buffer ring numbers them in 16 bits).
    public var bufferCount: Int
    /// The size of a buffer in bytes. At least 1.
    public var bufferBytes: Int
    /// Bytes that may wait to be sent on one connection before reading stops.
    public var pendingBytesMax: Int
    /// Pipes through which large amounts go on without being copied; at most 254. Only for handlers
    /// that send all of a connection back or forward it to one other, whatever it is: what goes
    /// through a pipe they do not see. Two descriptors each.
    public var pipeCount = 0
    /// Submissions between two enters: a power of two, at least `submissionsPerStep`.
    public var submissionEntries: Int
    /// Completions between two enters: a power of two. Less than the connections produce in a turn
    /// is slow, not wrong.
    public var completionEntries: Int

    /// Limits for a number of connections, everything else derived from it.
    public init(connectionsMax: Int = 10_000) {
        self.connectionsMax = connectionsMax
        bufferCount = 1024
        bufferBytes = 64 * 1024
        pendingBytesMax = 256 * 1024
        submissionEntries = 1024
        completionEntries = Limits.completionEntries(connectionsMax: connectionsMax)
    }

    /// Enough that a burst on every connection at once does not overflow, within what kernels
    /// allow.
    static func completionEntries(connectionsMax: Int) -> Int {
        var sum = 0
        sum += connectionsMax  // a receive each
        sum += connectionsMax  // a send each
        sum += 64  // accepts, the doorbell, failed cancels and closes
        return min(max(sum.roundedUpToPowerOfTwo, 4096), 65536)
    }

    /// Effects that handlers may have queued at once.
    var effectsMax: Int {
        var sum = 0
        sum += connectionsMax  // a connect each, at the start
        sum += connectionsMax  // a request to produce, pause, read or close each
        sum += 64  // timers
        return sum
    }

    /// Files that a ring's table has room for. An accept that finds it full would lose the
    /// connection, so what a multishot accept may take before it is stopped fits beside the
    /// connections, as far as the kernel allows (RLIMIT_NOFILE).
    public var registeredFiles: Int {
        let most = Int(clamping: DescriptorLimit.current().hard)
        return max(connectionsMax, min(connectionsMax + Limits.acceptQueueMax, most))
    }

    /// Connections that may wait in a listener's queue: the kernel's usual somaxconn.
    static let acceptQueueMax = 4096

    /// From so many bytes on a receive is a large one. Below it copying costs less than the calls.
    var largeBytes: Int { max(1, min(bufferBytes, 64 * 1024) / 2) }

    /// Below this many pending bytes a connection that was stopped is read again.
    var pendingBytesLow: Int { pendingBytesMax / 2 }

    /// The most submissions that handling one event, effect or deadline makes. The worker begins
    /// one only while the ring has room for them, so the submission queue never overflows.
    static let submissionsPerStep: Int = {
        var sum = 0
        sum += 1  // a send, or its cancellation
        sum += 1  // a receive, or its cancellation
        sum += 1  // an accept
        sum += 1  // a close
        return sum
    }()

    /// What is wrong with these limits, or nil.
    public var problem: String? {
        if connectionsMax < 1 { return "the number of connections must be at least 1" }
        if connectionsMax >= Int(Token.slotLimit) {
            return "at most \(Token.slotLimit - 1) connections"
        }
        if !bufferCount.isPowerOfTwo || bufferCount < 2 || bufferCount > 32768 {
            return
                "the number of buffers must be a power of two from 2 to 32768, not \(bufferCount)"
        }
        if bufferBytes < 1 || bufferBytes > 1 << 24 {
            return "the size of a buffer must be from 1 to 16777216 bytes, not \(bufferBytes)"
        }
        if !submissionEntries.isPowerOfTwo || submissionEntries < Limits.submissionsPerStep {
            return "the submission queue must be a power of two, at least "
                + "\(Limits.submissionsPerStep), not \(submissionEntries)"
        }
        if !completionEntries.isPowerOfTwo || completionEntries < submissionEntries {
            return "the completion queue must be a power of two, at least as long as the "
                + "submission queue, not \(completionEntries)"
        }
        // An outbox counts in 32 bits, and may pass its mark by what arrives in a turn.
        if pendingBytesMax < 1 || pendingBytesMax > 1 << 30 {
            return "the pending bytes of a connection must be from 1 to 1073741824, "
                + "not \(pendingBytesMax)"
        }
        if !(0...PipePool.countMax).contains(pipeCount) {
            return "the number of pipes must be from 0 to \(PipePool.countMax), not \(pipeCount)"
        }
        return nil
    }
}

extension Int {
    var isPowerOfTwo: Bool { self > 0 && self & (self - 1) == 0 }

    var roundedUpToPowerOfTwo: Int {
        var power = 1
        while power < self { power *= 2 }
        return power
    }
}
