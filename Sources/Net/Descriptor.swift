// Descriptor: a file descriptor as a type of its own, so that it is never mixed up with a slot, a
// buffer or a count. It is a plain number: who opened it closes it.

import CLinux

/// A file descriptor. Trivial: copying it copies the number, and nothing closes it by itself.
public struct Descriptor: Equatable, Hashable, Sendable {
    /// The number the kernel knows it by.
    public let rawValue: Int32

    /// Wraps a number that the kernel gave out.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// A file in the table of a ring, which is no descriptor of the process (registered file,
    /// io_uring_register(2)). Only that ring can do something with it: system calls fail with
    /// EBADF.
    public static func registered(slot: Int32) -> Descriptor {
        Descriptor(rawValue: slot | registeredBit)
    }

    /// Whether this is a registered file.
    public var isRegistered: Bool {
        @inline(__always) get { rawValue >= 0 && rawValue & Descriptor.registeredBit != 0 }
    }

    /// The slot of a registered file.
    public var slot: Int32 { rawValue & ~Descriptor.registeredBit }

    // No process has as many descriptors (fs.nr_open is at most 2^30 less some, proc(5)).
    private static let registeredBit: Int32 = 1 << 30

    /// No descriptor.
    public static let none = Descriptor(rawValue: -1)

    /// Closes it (close(2)). EINTR is no failure: Linux has released the number by then.
    public func close() {
        _ = clinux_close(rawValue)
    }

    /// Another descriptor of the same file (F_DUPFD_CLOEXEC, fcntl(2)).
    public func duplicate() throws(SystemError) -> Descriptor {
        let number = try SystemError.check("fcntl", clinux_duplicate(rawValue))
        return Descriptor(rawValue: number)
    }

    /// Ends both directions for every holder of the socket (shutdown(2)). Returns why not, or nil.
    @discardableResult
    public func shutdownBoth() -> Errno? {
        Errno(ofResult: clinux_shutdown(rawValue, Int32(2)))
    }

    /// Sends FIN once what was written has left (shutdown(2), SHUT_WR). Returns why not, or nil.
    @discardableResult
    public func shutdownWriting() -> Errno? {
        Errno(ofResult: clinux_shutdown(rawValue, Int32(1)))
    }

    /// Makes the coming close send RST instead of FIN (SO_LINGER 0, socket(7)).
    public func resetOnClose() {
        _ = clinux_linger_zero(rawValue)
    }

    /// The pending error of a socket, and clears it (SO_ERROR, socket(7)); nil when there is none.
    public func takeSocketError() -> Errno? {
        let error = clinux_get_option(rawValue, SOL_SOCKET, SO_ERROR)
        return error == 0 ? nil : Errno(rawValue: abs(error))
    }

    /// The address of the other end (getpeername(2)), or nil once that is unknown.
    public var peerAddress: SocketAddress? { address(clinux_peer_address) }

    /// The address of this end (getsockname(2)).
    public var localAddress: SocketAddress? { address(clinux_local_address) }

    private func address(
        _ call: (Int32, UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt32>?) -> Int32
    ) -> SocketAddress? {
        withUnsafeTemporaryAllocation(
            byteCount: SocketAddress.storageBytes,
            alignment: 8
        ) { storage in
            var length = UInt32(SocketAddress.storageBytes)
            guard call(rawValue, storage.baseAddress, &length) == 0 else { return nil }
            return SocketAddress(storage.baseAddress)
        }
    }

    /// The addresses of both ends.
    public var addresses: ConnectionAddresses {
        ConnectionAddresses(peer: peerAddress, local: localAddress)
    }

    /// What TCP knows of the connection, or nil where it is none.
    public var transmission: Transmission? {
        var state = clinux_tcp_state()
        guard clinux_read_tcp_state(rawValue, &state) == 0 else { return nil }
        return Transmission(
            roundTripMicroseconds: state.round_trip_microseconds,
            retransmits: state.retransmits,
            unanswered: state.unanswered,
            acknowledgedBytes: state.acknowledged_bytes
        )
    }

    /// Bytes that have arrived and were not received, up to an urgent one (SIOCINQ, tcp(7)); or
    /// `-errno`.
    public var unreadByteCount: Int { Int(clinux_unread_bytes(rawValue)) }

    /// Whether an urgent byte is next, or nobody knows (SIOCATMARK, tcp(7)).
    public var isAtUrgentByte: Bool { clinux_at_urgent_byte(rawValue) != 0 }

    /// 1 where a byte is there to be received, 0 after FIN, or `-errno` (MSG_PEEK, recv(2)).
    public func peekOnce() -> Int { Int(clinux_peek(rawValue)) }

    /// Sets whether calls on a socket wait (FIONBIO, ioctl(2)). Operations of a ring that are under
    /// way do not notice.
    public func setWaiting(_ waits: Bool) { clinux_set_waiting(rawValue, waits) }

    /// Bytes that were handed over to be sent and not acknowledged (SIOCOUTQ, tcp(7)), also after
    /// the connection broke.
    public var unacknowledgedByteCount: Int {
        max(0, Int(clinux_unacknowledged_bytes(rawValue)))
    }
}

/// The addresses of a connection's two ends; nil where one is not known any more.
public struct ConnectionAddresses: Equatable, Sendable {
    public var peer: SocketAddress?
    public var local: SocketAddress?

    /// Two addresses.
    public init(peer: SocketAddress?, local: SocketAddress?) {
        self.peer = peer
        self.local = local
    }
}

/// What TCP knows of a connection (TCP_INFO, tcp(7)).
public struct Transmission: Equatable, Sendable {
    /// The smoothed round-trip time.
    public let roundTripMicroseconds: UInt32
    /// Segments sent again, in all.
    public let retransmits: UInt32
    /// Resent segments and probes since the peer last answered.
    public let unanswered: UInt32
    /// Bytes that the peer has acknowledged, in all.
    public let acknowledgedBytes: UInt64

    /// Puts together what TCP knows, as a simulated kernel does.
    public init(
        roundTripMicroseconds: UInt32,
        retransmits: UInt32,
        unanswered: UInt32,
        acknowledgedBytes: UInt64
    ) {
        self.roundTripMicroseconds = roundTripMicroseconds
        self.retransmits = retransmits
        self.unanswered = unanswered
        self.acknowledgedBytes = acknowledgedBytes
    }
}
