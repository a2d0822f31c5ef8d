// Outbox: the bytes that wait to be sent on one connection, as a chain of pool buffers. The links
// lie in the pool's records: a buffer has one owner, so it is in one outbox at most, and a
// connection with nothing to send costs nothing.

import Net
import URing

/// The queue of one connection. The first `sendingCount` buffers belong to the send in flight.
struct Outbox {
    var first = BufferID.none
    var last = BufferID.none
    /// Bytes queued and in flight.
    var byteCount: UInt32 = 0
    /// Buffers of the send in flight.
    var sendingCount: UInt16 = 0

    var isEmpty: Bool { first == .none }
}

extension BufferPool {
    /// Adds a buffer that a connection owns to the end of an outbox.
    @inline(__always)
    mutating func append(_ buffer: BufferID, to outbox: inout Outbox) {
        self[buffer].next = .none
        if outbox.last == .none {
            outbox.first = buffer
        } else {
            self[outbox.last].next = buffer
        }
        outbox.last = buffer
        outbox.byteCount += self[buffer].byteCount
    }

    /// Hands the first buffers of an outbox to a send.
    ///
    /// - Parameter pieces: room for `Submission.pieceLimit`.
    /// - Returns: how many pieces the send consists of.
    @inline(__always)
    mutating func startSending(
        _ outbox: inout Outbox,
        into pieces: UnsafeMutablePointer<Piece>
    ) -> Int {
        precondition(outbox.sendingCount == 0, "one send at a time: two would overtake each other")
        var count = 0
        var buffer = outbox.first
        while buffer != .none, count < Submission.pieceLimit {
            startSending(buffer)
            let bytes = bytes(of: buffer)
            pieces[count] = Piece(bytes: bytes.baseAddress!, byteCount: bytes.count)
            count += 1
            buffer = self[buffer].next
        }
        outbox.sendingCount = UInt16(truncatingIfNeeded: count)
        return count
    }

    /// Ends the send in flight, of which the kernel took `byteCount` bytes: what is sent goes home,
    /// the rest stays first in the outbox.
    ///
    /// - Returns: whether the kernel took less than it was given.
    @inline(__always)
    @discardableResult
    mutating func finishSending(_ outbox: inout Outbox, byteCount: Int) -> Bool {
        var rest = UInt32(truncatingIfNeeded: byteCount)
        precondition(rest <= outbox.byteCount)
        outbox.byteCount -= rest
        var buffer = outbox.first
        var isShort = false
        for _ in 0..<outbox.sendingCount {
            let next = self[buffer].next
            takeBack(buffer)
            let size = self[buffer].byteCount
            if rest >= size {
                rest -= size
                outbox.first = next
                release(buffer)
            } else {
                self[buffer].offset += rest
                self[buffer].byteCount -= rest
                rest = 0
                isShort = true
            }
            buffer = next
        }
        precondition(rest == 0, "the kernel sent more than it was given")
        outbox.sendingCount = 0
        if outbox.first == .none { outbox.last = .none }
        return isShort
    }

    /// Drops everything queued. No send is in flight.
    ///
    /// - Returns: how many bytes were dropped.
    mutating func discard(_ outbox: inout Outbox) -> Int {
        precondition(outbox.sendingCount == 0)
        var buffer = outbox.first
        while buffer != .none {
            let next = self[buffer].next
            release(buffer)
            buffer = next
        }
        let dropped = Int(outbox.byteCount)
        outbox = Outbox()
        return dropped
    }
}
