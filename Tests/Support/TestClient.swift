// TestClient: a blocking TCP client for tests, over the C library alone, so that what the engine
// does is judged by code that shares nothing with it.

import Glibc
public import Net

/// A connected, blocking socket.
public final class TestClient: @unchecked Sendable {
    private let descriptor: Int32

    /// What a call of a client failed with.
    public struct CallFailed: Error {
        public let call: String
        public let code: Int32
    }

    /// Connects. Calls that take longer than `timeoutSeconds` fail.
    ///
    /// - Parameters:
    ///   - source: the address to connect from; nil lets the kernel choose.
    ///   - receiveBufferBytes: what the kernel keeps for this client; nil lets it grow.
    public init(
        _ address: SocketAddress,
        from source: SocketAddress? = nil,
        timeoutSeconds: Int = 20,
        receiveBufferBytes: Int32? = nil
    ) throws {
        let family = address.family == .v4 ? AF_INET : AF_INET6
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw CallFailed(call: "socket", code: errno) }
        TestClient.limit(descriptor, seconds: timeoutSeconds)
        if var bytes = receiveBufferBytes {
            let length = socklen_t(MemoryLayout<Int32>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, length)
        }
        let storage = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 8)
        defer { storage.deallocate() }
        if let source {
            let length = source.write(to: storage)
            bind(descriptor, storage.assumingMemoryBound(to: sockaddr.self), length)
        }
        let length = address.write(to: storage)
        let result = connect(descriptor, storage.assumingMemoryBound(to: sockaddr.self), length)
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw CallFailed(call: "connect", code: code)
        }
    }

    /// Takes over a connection that was accepted.
    init(accepted descriptor: Int32, timeoutSeconds: Int) {
        self.descriptor = descriptor
        TestClient.limit(descriptor, seconds: timeoutSeconds)
    }

    private static func limit(_ descriptor: Int32, seconds: Int) {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
    }

    deinit { Glibc.close(descriptor) }

    /// This end's address.
    public var localAddress: SocketAddress? { Descriptor(rawValue: descriptor).localAddress }

    /// Sends all bytes.
    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor,
                    $0.baseAddress! + sent,
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CallFailed(call: "send", code: errno) }
            sent += count
        }
    }

    /// Sends one byte as an urgent one (MSG_OOB, tcp(7)).
    public func send(urgent byte: UInt8) throws {
        let count = withUnsafePointer(to: byte) {
            Glibc.send(descriptor, $0, 1, Int32(MSG_OOB) | Int32(MSG_NOSIGNAL))
        }
        guard count == 1 else { throw CallFailed(call: "send", code: errno) }
    }

    /// Receives up to `count` bytes: empty at the end of the stream.
    public func receive(atMost count: Int = 65536) throws -> [UInt8] {
        while true {
            var received = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
                received = recv(descriptor, buffer.baseAddress, count, 0)
                used = max(0, received)
            }
            if received >= 0 { return bytes }
            guard errno == EINTR else { throw CallFailed(call: "recv", code: errno) }
        }
    }

    /// Receives exactly `count` bytes, fewer where the stream ends before.
    public func receive(exactly count: Int) throws -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(count)
        while all.count < count {
            let part = try receive(atMost: count - all.count)
            if part.isEmpty { break }
            all += part
        }
        return all
    }

    /// Receives to the end of the stream.
    public func receiveToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let part = try receive()
            if part.isEmpty { return all }
            all += part
        }
    }

    /// Bytes that were sent and have not arrived, as far as is known here (SIOCOUTQ, tcp(7)).
    public var unacknowledgedByteCount: Int {
        var count: Int32 = 0
        _ = ioctl(descriptor, UInt(TIOCOUTQ), &count)
        return Int(count)
    }

    /// Whether something can be received, or the stream has ended.
    public func isReadable(withinMilliseconds timeout: Int32) throws -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let count = poll(&waiting, 1, timeout)
        guard count >= 0 else { throw CallFailed(call: "poll", code: errno) }
        return count == 1
    }

    /// Whether the other end resets the connection, whatever there is to receive before.
    public func isReset(withinMilliseconds timeout: Int32) throws -> Bool {
        var waiting = pollfd(fd: descriptor, events: 0, revents: 0)
        let count = poll(&waiting, 1, timeout)
        guard count >= 0 else { throw CallFailed(call: "poll", code: errno) }
        return count == 1
    }

    /// Sends what fits at once, and returns how much that was.
    public func sendAvailable(_ bytes: ArraySlice<UInt8>) throws -> Int {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
        }
        if count >= 0 { return count }
        guard errno == EAGAIN || errno == EINTR else {
            throw CallFailed(call: "send", code: errno)
        }
        return 0
    }

    /// Receives what is there: nil where nothing is, empty at the end of the stream.
    public func receiveAvailable() throws -> [UInt8]? {
        try isReadable(withinMilliseconds: 0) ? receive() : nil
    }

    /// Sends FIN.
    public func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the end of this client an RST.
    public func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_LINGER,
            &linger,
            socklen_t(MemoryLayout<linger>.size)
        )
    }
}

/// Bytes that no other seed gives.
public func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state >> 24)
    }
}
