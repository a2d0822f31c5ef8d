// EventPoll: epoll(7), as plain functions without errno.

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

    /// Watches a descriptor until it is closed; its events carry the token. Returns why that
    /// failed, or nil.
    public func add(_ watched: Descriptor, _ interest: Readiness, token: UInt64) -> Errno? {
        Errno(
            ofResult: clinux_epoll_add(
                descriptor.rawValue,
                watched.rawValue,
                interest.rawValue,
                token
            )
        )
    }

    /// Watches a descriptor no more, though others may have the same file open.
    public func remove(_ watched: Descriptor) {
        _ = clinux_epoll_remove(descriptor.rawValue, watched.rawValue)
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
