// Transfer: the calls of a non-blocking socket by which bytes and connections arrive and leave,
// once as the kernel has them, and once repeated for as long as the answer need not be believed.

import CLinux

/// A run of bytes of a vectored send, laid out like the kernel's `iovec`.
public struct Piece {
    /// Where it begins.
    public var bytes: UnsafeRawPointer
    /// How long it is.
    public var byteCount: Int

    /// Names a run of bytes.
    @inline(__always)
    public init(bytes: UnsafeRawPointer, byteCount: Int) {
        self.bytes = bytes
        self.byteCount = byteCount
    }
}

// Single calls: each returns a count, or `-errno`.
extension Descriptor {
    /// Accepts a connection: CLOEXEC, non-blocking (accept4(2)). Returns its descriptor.
    public func acceptOnce() -> Int { Int(clinux_accept(rawValue)) }

    /// Receives what is there (recv(2)).
    @inline(__always)
    public func receiveOnce(into bytes: UnsafeMutableRawPointer, byteCount: Int) -> Int {
        Int(clinux_receive(rawValue, bytes, byteCount))
    }

    /// Sends what fits; a broken connection raises no signal (send(2), sendmsg(2)).
    @inline(__always)
    public func sendOnce(_ pieces: UnsafeBufferPointer<Piece>) -> Int {
        guard pieces.count != 1 else {
            return Int(clinux_send(rawValue, pieces[0].bytes, pieces[0].byteCount))
        }
        let vector = UnsafeRawPointer(pieces.baseAddress!).assumingMemoryBound(to: iovec.self)
        return Int(clinux_send_vector(rawValue, vector, pieces.count))
    }

    /// Starts to connect. The address is in the kernel's form (connect(2)).
    public func startConnecting(to address: UnsafeRawPointer, byteCount: UInt32) -> Errno? {
        Errno(ofResult: clinux_connect(rawValue, address, byteCount))
    }
}

/// Repeats a call that a signal interrupted.
///
/// "Nothing there" is believed when it comes twice in a row. Who watches for edges and believes an
/// EAGAIN that is not true (a filter or a sandbox may make one up) waits for an edge that never
/// comes, and so does the client. It comes seldom: a short count has said before that there is no
/// more.
///
/// - Parameter call: returns a count, or `-errno`.
@inline(__always)
public func untilBelieved(_ call: () -> Int) -> Int {
    var doubts = true
    while true {
        let result = call()
        if result == -Int(EAGAIN), doubts {
            doubts = false
        } else if result != -Int(EINTR) {
            return result
        }
    }
}

/// Whether bytes have arrived that were not received; also where that cannot be found out, so that
/// none is taken for lost. What lies behind an urgent byte is not in the kernel's count.
@inline(__always)
public func hasUnreadBytes(
    count: () -> Int,
    isAtUrgentByte: () -> Bool,
    peek: () -> Int
) -> Bool {
    let count = count()
    return count == 0 && isAtUrgentByte() ? untilBelieved(peek) > 0 : count != 0
}

extension Descriptor {
    /// Whether bytes have arrived that were not received, or nobody knows.
    public var hasUnreadBytes: Bool {
        Net.hasUnreadBytes(
            count: { unreadByteCount },
            isAtUrgentByte: { isAtUrgentByte },
            peek: peekOnce
        )
    }

    /// `acceptOnce` until its answer is believed.
    public func accept() -> Result<Descriptor, Errno> {
        Descriptor.accepted(untilBelieved { acceptOnce() })
    }

    /// What accept4(2) returned, as a descriptor or an error.
    public static func accepted(_ result: Int) -> Result<Descriptor, Errno> {
        let number = Int32(truncatingIfNeeded: result)
        return number < 0
            ? .failure(Errno(rawValue: -number)) : .success(Descriptor(rawValue: number))
    }

    /// `receiveOnce` until its answer is believed.
    @inline(__always)
    public func receive(into bytes: UnsafeMutableRawPointer, byteCount: Int) -> Int {
        untilBelieved { receiveOnce(into: bytes, byteCount: byteCount) }
    }

    /// `sendOnce` until its answer is believed.
    @inline(__always)
    public func send(_ pieces: UnsafeBufferPointer<Piece>) -> Int {
        untilBelieved { sendOnce(pieces) }
    }
}
