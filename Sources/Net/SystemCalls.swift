// SystemCalls: the seam between the epoll driver and the kernel. `KernelCalls` is the kernel's; a
// simulated one can play the kernel's rules from a seed. Faults of epoll servers lie in what
// single calls return and in which edges come, so the seam is at single calls: what repeats them,
// or doubts their answers, is above it and is tested with the rest.

/// The system calls that an event loop on epoll makes. None is retried.
public protocol SystemCalls: ~Copyable {
    // ---- events ----

    /// Watches a descriptor until it is closed; its events carry the token (epoll_ctl(2)). Returns
    /// why that failed, or nil.
    mutating func watch(_ descriptor: Descriptor, _ interest: Readiness, token: UInt64) -> Errno?
    /// Watches a descriptor no more (epoll_ctl(2)): for one that others go on with. Closing does
    /// that only where nobody else has it.
    mutating func unwatch(_ descriptor: Descriptor)
    /// Waits for at most so many nanoseconds, nil for no limit (epoll_wait(2)). Returns how many
    /// events there are, or `-errno`.
    mutating func wait(forAtMost nanoseconds: UInt64?) -> Int
    /// An event of the last wait.
    func event(_ index: Int) -> (token: UInt64, readiness: Readiness)
    /// Takes note of all rings of a doorbell so far (read(2)).
    mutating func silence(_ doorbell: Doorbell)
    /// Monotonic nanoseconds (clock_gettime(2)).
    func now() -> UInt64

    // ---- sockets ----

    /// Accepts a connection (accept4(2)). Returns its descriptor, or `-errno`.
    mutating func accept(_ listener: Descriptor) -> Int
    /// Makes a socket for an outgoing connection (socket(2)).
    mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError>
    /// Starts to connect (connect(2)). Returns why it is not done yet, or never will be; or nil.
    mutating func connect(
        _ descriptor: Descriptor,
        to address: UnsafeRawPointer,
        byteCount: UInt32
    ) -> Errno?
    /// The pending error of a socket, and clears it (SO_ERROR, socket(7)); nil when there is none.
    mutating func takeError(_ descriptor: Descriptor) -> Errno?
    /// Receives what is there (recv(2)). Returns a count, or `-errno`.
    mutating func receive(
        _ descriptor: Descriptor,
        into bytes: UnsafeMutableRawPointer,
        byteCount: Int
    ) -> Int
    /// Sends what fits (send(2), sendmsg(2)). Returns a count, or `-errno`.
    mutating func send(_ descriptor: Descriptor, _ pieces: UnsafeBufferPointer<Piece>) -> Int
    /// Sends FIN (shutdown(2)). Returns why not, or nil.
    mutating func shutdownWriting(_ descriptor: Descriptor) -> Errno?
    /// Makes the coming close send RST (SO_LINGER 0, socket(7)).
    mutating func resetOnClose(_ descriptor: Descriptor)
    /// Bytes that have arrived and were not received, up to an urgent one (SIOCINQ, tcp(7)); or
    /// `-errno`.
    mutating func unreadByteCount(_ descriptor: Descriptor) -> Int
    /// Whether an urgent byte is next, or nobody knows (SIOCATMARK, tcp(7)).
    mutating func isAtUrgentByte(_ descriptor: Descriptor) -> Bool
    /// 1 where a byte is there to be received, 0 after FIN, or `-errno` (MSG_PEEK, recv(2)).
    mutating func peek(_ descriptor: Descriptor) -> Int
    /// Bytes that were handed over and not acknowledged, also after the connection broke (SIOCOUTQ,
    /// tcp(7)).
    mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int
    /// What TCP knows of a connection (TCP_INFO, tcp(7)); nil where that cannot be had.
    mutating func transmission(_ descriptor: Descriptor) -> Transmission?
    /// The addresses of a connection's two ends, as far as they are known.
    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses
    /// Closes a descriptor (close(2)).
    mutating func close(_ descriptor: Descriptor)
}

/// The calls of the kernel, with a set of watched descriptors.
public struct KernelCalls: SystemCalls, ~Copyable {
    private let poll: EventPoll

    /// - Parameter eventsMax: how many events one wait brings at most.
    public init(eventsMax: Int) throws(SystemError) { poll = try EventPoll(capacity: eventsMax) }

    public mutating func watch(
        _ descriptor: Descriptor,
        _ interest: Readiness,
        token: UInt64
    ) -> Errno? {
        poll.add(descriptor, interest, token: token)
    }

    public mutating func unwatch(_ descriptor: Descriptor) { poll.remove(descriptor) }

    @inline(__always)
    public mutating func wait(forAtMost nanoseconds: UInt64?) -> Int {
        poll.wait(forAtMost: nanoseconds)
    }

    @inline(__always)
    public func event(_ index: Int) -> (token: UInt64, readiness: Readiness) { poll.event(index) }

    public mutating func silence(_ doorbell: Doorbell) { doorbell.silence() }

    @inline(__always)
    public func now() -> UInt64 { Clock.monotonicNanoseconds() }

    public mutating func accept(_ listener: Descriptor) -> Int { listener.acceptOnce() }

    public mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError> {
        Result { () throws(SystemError) in try Socket.outgoing(family, from: source) }
    }

    public mutating func connect(
        _ descriptor: Descriptor,
        to address: UnsafeRawPointer,
        byteCount: UInt32
    ) -> Errno? {
        descriptor.startConnecting(to: address, byteCount: byteCount)
    }

    public mutating func takeError(_ descriptor: Descriptor) -> Errno? {
        descriptor.takeSocketError()
    }

    @inline(__always)
    public mutating func receive(
        _ descriptor: Descriptor,
        into bytes: UnsafeMutableRawPointer,
        byteCount: Int
    ) -> Int {
        descriptor.receiveOnce(into: bytes, byteCount: byteCount)
    }

    @inline(__always)
    public mutating func send(
        _ descriptor: Descriptor,
        _ pieces: UnsafeBufferPointer<Piece>
    ) -> Int {
        descriptor.sendOnce(pieces)
    }

    public mutating func shutdownWriting(_ descriptor: Descriptor) -> Errno? {
        descriptor.shutdownWriting()
    }

    public mutating func resetOnClose(_ descriptor: Descriptor) { descriptor.resetOnClose() }

    public mutating func unreadByteCount(_ descriptor: Descriptor) -> Int {
        descriptor.unreadByteCount
    }

    public mutating func isAtUrgentByte(_ descriptor: Descriptor) -> Bool {
        descriptor.isAtUrgentByte
    }

    public mutating func peek(_ descriptor: Descriptor) -> Int { descriptor.peekOnce() }

    public mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int {
        descriptor.unacknowledgedByteCount
    }

    public mutating func transmission(_ descriptor: Descriptor) -> Transmission? {
        descriptor.transmission
    }

    public mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        descriptor.addresses
    }

    public mutating func close(_ descriptor: Descriptor) { descriptor.close() }
}
