// Listening and connecting sockets: everything that is set once, before the first byte.

import CLinux
import Glibc

/// How a listener is opened.
public struct ListenOptions: Sendable {
    /// The address to bind. Port 0 lets the kernel choose.
    public var address: SocketAddress
    /// The kernel's usual somaxconn.
    public static let usualBacklog: Int32 = 4096

    /// How many finished handshakes wait for accept (listen(2)); the kernel clips it to somaxconn.
    public var backlog = ListenOptions.usualBacklog
    /// Whether several listeners share the address, the kernel spreading connections over them
    /// (SO_REUSEPORT, socket(7)).
    public var sharesPort = false

    /// Probes of silent peers; nil sends none.
    public var keepalive: Keepalive? = Keepalive()
    /// How long sent bytes may go unacknowledged before the connection breaks, in milliseconds
    /// (TCP_USER_TIMEOUT, tcp(7)); 0 leaves it to the kernel.
    public var userTimeoutMilliseconds: Int32 = 0

    /// What the kernel may hold for a connection on its way out, in bytes: it doubles the value for
    /// its own use and no longer adapts it (SO_SNDBUF, socket(7)); 0 leaves it to the kernel.
    public var sendBufferBytes: Int32 = 0
    /// The same on the way in (SO_RCVBUF, socket(7)).
    public var receiveBufferBytes: Int32 = 0

    /// Options for an address, everything else by default.
    public init(address: SocketAddress) { self.address = address }
}

/// Probes that find out whether a silent peer still exists (SO_KEEPALIVE, tcp(7)).
public struct Keepalive: Equatable, Sendable {
    /// Silence before the first probe, in seconds.
    public var idleSeconds: Int32 = 60
    /// Time between probes, in seconds.
    public var intervalSeconds: Int32 = 10
    /// Unanswered probes after which the connection breaks.
    public var count: Int32 = 6

    /// A minute of silence, then six probes in another.
    public init() {}
}

/// Makes and sets sockets.
public enum Socket {
    /// A listening socket. TCP_NODELAY is set on it and inherited by what it accepts; SO_REUSEADDR
    /// lets a restart bind while old connections sit in TIME_WAIT; an IPv6 wildcard takes IPv4 too.
    public static func listen(_ options: ListenOptions) throws(SystemError) -> Descriptor {
        let descriptor = try bound(options)
        do throws(SystemError) {
            try listen(on: descriptor, options)
        } catch {
            descriptor.close()
            throw error
        }
        return descriptor
    }

    /// Makes a socket that is bound listen; or, where it does already, have other options, which
    /// are those of the connections it accepts from then on.
    public static func listen(
        on descriptor: Descriptor,
        _ options: ListenOptions
    ) throws(SystemError) {
        // What is set on a listener is inherited by the connections it accepts.
        try set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1)
        try setLiveness(descriptor, options)
        try setBuffers(descriptor, options)
        try SystemError.check("listen", clinux_listen(descriptor.rawValue, options.backlog))
    }

    /// Fails where another process holds the address. SO_REUSEPORT would silently share it with any
    /// process of the same user, so the claim is tried without it first.
    public static func claim(_ address: SocketAddress) throws(SystemError) {
        try bound(ListenOptions(address: address)).close()
    }

    /// A socket for an outgoing connection: non-blocking, TCP_NODELAY.
    ///
    /// - Parameter source: the address to connect from. The kernel chooses its port when the other
    ///   end is known, so that a port serves several connections (IP_BIND_ADDRESS_NO_PORT, ip(7)).
    public static func outgoing(
        _ family: SocketAddress.Family,
        from source: SocketAddress? = nil
    ) throws(SystemError) -> Descriptor {
        let descriptor = try make(family)
        do throws(SystemError) {
            try prepareOutgoing(descriptor, from: source)
        } catch {
            descriptor.close()
            throw error
        }
        return descriptor
    }

    /// Sets what an outgoing connection's socket has to have.
    public static func prepareOutgoing(
        _ descriptor: Descriptor,
        from source: SocketAddress?
    ) throws(SystemError) {
        try set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1)
        guard let source else { return }
        try set(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        try bind(descriptor, source)
    }

    /// Whether somebody takes a connection at an address within a tenth of a second. The connection
    /// is closed at once.
    public static func answers(_ address: SocketAddress) -> Bool {
        guard let descriptor = try? outgoing(address.family) else { return false }
        defer { descriptor.close() }
        let result = address.withKernelForm { clinux_connect(descriptor.rawValue, $0, $1) }
        let deadline = Clock.monotonicNanoseconds() + .nanosecondsPerSecond / 10
        while result == -EINPROGRESS, descriptor.peerAddress == nil,
            descriptor.takeSocketError() == nil, Clock.monotonicNanoseconds() < deadline
        {
            usleep(1000)
        }
        return descriptor.peerAddress != nil
    }

    /// The address that a socket is bound to.
    public static func localAddress(
        of descriptor: Descriptor
    ) throws(SystemError) -> SocketAddress {
        guard let address = descriptor.localAddress else {
            throw SystemError("getsockname", .invalidArgument)
        }
        return address
    }

    private static func setLiveness(
        _ descriptor: Descriptor,
        _ options: ListenOptions
    ) throws(SystemError) {
        let probes: Int32 = options.keepalive == nil ? 0 : 1
        try set(descriptor, Int(SOL_SOCKET), SO_KEEPALIVE, probes)
        if let keepalive = options.keepalive {
            try set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, keepalive.idleSeconds)
            try set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, keepalive.intervalSeconds)
            try set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, keepalive.count)
        }
        try set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, options.userTimeoutMilliseconds)
    }

    private static func setBuffers(
        _ descriptor: Descriptor,
        _ options: ListenOptions
    ) throws(SystemError) {
        let sizes = [(SO_SNDBUF, options.sendBufferBytes), (SO_RCVBUF, options.receiveBufferBytes)]
        for (name, bytes) in sizes where bytes > 0 {
            try set(descriptor, Int(SOL_SOCKET), name, bytes)
        }
    }

    /// Sets an integer option (setsockopt(2)).
    static func set(
        _ descriptor: Descriptor,
        _ level: Int,
        _ name: Int32,
        _ value: Int32
    ) throws(SystemError) {
        let result = clinux_set_option(descriptor.rawValue, Int32(level), name, value)
        try SystemError.check("setsockopt", result)
    }

    private static func make(_ family: SocketAddress.Family) throws(SystemError) -> Descriptor {
        let number = clinux_socket(family == .v4 ? AF_INET : AF_INET6)
        return Descriptor(rawValue: try SystemError.check("socket", number))
    }

    /// A socket that is bound, and does not listen yet.
    public static func bound(_ options: ListenOptions) throws(SystemError) -> Descriptor {
        let descriptor = try make(options.address.family)
        do throws(SystemError) {
            try set(descriptor, Int(SOL_SOCKET), SO_REUSEADDR, 1)
            if options.sharesPort { try set(descriptor, Int(SOL_SOCKET), SO_REUSEPORT, 1) }
            if options.address.family == .v6 { try set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0) }
            try bind(descriptor, options.address)
        } catch {
            descriptor.close()
            throw error
        }
        return descriptor
    }

    /// Binds. A process that was killed is still in the way for a moment: its io_uring requests
    /// hold its listeners until a thread of the kernel has ended them, after the process itself. So
    /// an address in use is tried again for a second.
    private static func bind(
        _ descriptor: Descriptor,
        _ address: SocketAddress
    ) throws(SystemError) {
        let deadline = Clock.monotonicNanoseconds() + .nanosecondsPerSecond
        while true {
            let result = address.withKernelForm { clinux_bind(descriptor.rawValue, $0, $1) }
            guard result == -EADDRINUSE, Clock.monotonicNanoseconds() < deadline else {
                try SystemError.check("bind", result)
                return
            }
            usleep(5000)
        }
    }
}
