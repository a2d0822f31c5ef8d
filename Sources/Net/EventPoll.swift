// EventPoll: epoll(7) and the non-blocking calls that go with it, as plain functions without errno.

import CLinux

/// What the kernel reports of a descriptor, or is asked to report.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Something can be received or accepted.
    public static let readable = Readiness(rawValue: CLINUX_EPOLL_IN)
    /// Something can be sent.
    public static let writable = Readiness(rawValue: CLINUX_EPOLL_OUT)
    /// An urgent byte has come (tcp(7)). A receive ends before it, whatever lies behind.
    public static let urgent = Readiness(rawValue: CLINUX_EPOLL_URGENT)
    /// The peer has sent FIN.
    public static let peerFinished = Readiness(rawValue: CLINUX_EPOLL_PEER_FINISHED)
    /// Both directions have ended.
    public static let hangUp = Readiness(rawValue: CLINUX_EPOLL_HANG_UP)
    /// The socket has an error.
    public static let error = Readiness(rawValue: CLINUX_EPOLL_ERROR)
    /// Asked for only: report changes, not states.
    public static let edge = Readiness(rawValue: CLINUX_EPOLL_EDGE)
}

/// A set of watched descriptors.
public struct EventPoll: ~Copyable {
    private let descriptor: Descriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private let capacity: Int32

    /// - Parameter capacity: how many events one wait brings at most.
    public init(capacity: Int) throws(SystemError) {
        let number = try SystemError.check("epoll_create1", clinux_epoll_create())
        descriptor = Descriptor(rawValue: number)
        self.capacity = Int32(capacity)
        events = .allocate(capacity: capacity)
    }

    deinit {
        descriptor.close()
        events.deallocate()
    }

    /// Watches a descriptor until it is closed; its events carry the token.
    public func add(
        _ watched: Descriptor,
        _ interest: Readiness,
        token: UInt64
    ) throws(SystemError) {
        let result = clinux_epoll_add(
            descriptor.rawValue,
            watched.rawValue,
            interest.rawValue,
            token
        )
        try SystemError.check("epoll_ctl", result)
    }

    /// Waits.
    ///
    /// - Parameter nanoseconds: how long at most; nil for no limit.
    /// - Returns: how many events there are, or `-errno`.
    @inline(__always)
    public func wait(forAtMost nanoseconds: UInt64?) -> Int {
        let timeout = nanoseconds.map { Int64(clamping: $0) } ?? -1
        return Int(clinux_epoll_wait(descriptor.rawValue, events, capacity, timeout))
    }

    /// An event of the last wait.
    @inline(__always)
    public func event(_ index: Int) -> (token: UInt64, readiness: Readiness) {
        (events[index].data.u64, Readiness(rawValue: events[index].events))
    }
}

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

// The calls of a non-blocking socket. Each is retried where a signal interrupted it, and returns a
// count or `-errno`.
//
// "Nothing there" is believed when it comes twice in a row. Who watches for edges and believes an
// EAGAIN that is not true (a filter or a sandbox may make one up) waits for an edge that never
// comes, and so does the client. It comes seldom: a short count has said before that there is no
// more.
extension Descriptor {
    /// Accepts a connection: CLOEXEC, non-blocking (accept4(2)).
    public func accept() -> Result<Descriptor, Errno> {
        var result: Int32
        var doubts = true
        repeat {
            result = clinux_accept(rawValue)
        } while result == -EINTR || Descriptor.isDoubted(Int(result), &doubts)
        return result < 0
            ? .failure(Errno(rawValue: -result)) : .success(Descriptor(rawValue: result))
    }

    /// Starts to connect. The address is in the kernel's form (connect(2)).
    public func startConnecting(to address: UnsafeRawPointer, byteCount: UInt32) -> Errno? {
        let result = clinux_connect(rawValue, address, byteCount)
        return result < 0 ? Errno(rawValue: -result) : nil
    }

    /// Receives what is there (recv(2)).
    @inline(__always)
    public func receive(into bytes: UnsafeMutableRawPointer, byteCount: Int) -> Int {
        var result: Int
        var doubts = true
        repeat {
            result = Int(clinux_receive(rawValue, bytes, byteCount))
        } while result == -Int(EINTR) || Descriptor.isDoubted(result, &doubts)
        return result
    }

    /// Sends what fits; a broken connection raises no signal (send(2), sendmsg(2)).
    @inline(__always)
    public func send(_ pieces: UnsafeBufferPointer<Piece>) -> Int {
        var result: Int
        var doubts = true
        repeat {
            if pieces.count == 1 {
                result = Int(clinux_send(rawValue, pieces[0].bytes, pieces[0].byteCount))
            } else {
                let vector = UnsafeRawPointer(pieces.baseAddress!)
                    .assumingMemoryBound(to: iovec.self)
                result = Int(clinux_send_vector(rawValue, vector, pieces.count))
            }
        } while result == -Int(EINTR) || Descriptor.isDoubted(result, &doubts)
        return result
    }

    /// Whether a result says for the first time that there is nothing.
    @inline(__always)
    private static func isDoubted(_ result: Int, _ doubts: inout Bool) -> Bool {
        guard doubts, result == -Int(EAGAIN) else { return false }
        doubts = false
        return true
    }
}
