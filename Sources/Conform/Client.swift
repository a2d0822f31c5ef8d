// Client: a TCP client as plain as can be, for judging servers. It never waits without a limit,
// never raises SIGPIPE, and says what happened as a value. It shares no code with the engine but
// the socket calls of Net.

import Glibc
public import Net

/// What a call on a connection came to, when it did not come to bytes.
public enum Trouble: Error, Equatable, Sendable {
    /// Nobody listens.
    case refused
    /// The time was over.
    case timedOut
    /// The server sent RST.
    case reset
    /// Anything else.
    case failed(Errno)

    init(_ code: Errno) {
        switch code {
        case .connectionRefused: self = .refused
        case .connectionReset, .brokenPipe: self = .reset
        case .timedOut: self = .timedOut
        default: self = .failed(code)
        }
    }
}

/// What a receive brought.
enum Received: Equatable {
    case bytes(Int)
    case nothingYet
    case end
    case trouble(Trouble)
}

/// What a send came to.
enum Sent: Equatable {
    case bytes(Int)
    case noRoom
    case trouble(Trouble)
}

/// What a connection waits for.
struct Interest: OptionSet {
    let rawValue: Int16
    static let readable = Interest(rawValue: Int16(POLLIN))
    static let writable = Interest(rawValue: Int16(POLLOUT))
}

/// A connection to the server. Its end closes the socket.
final class Client {
    /// How a connection is made.
    struct Manner {
        /// The kernel's receive buffer; nil leaves it to grow by itself.
        var receiveBufferBytes: Int32?
        /// Asks to send the first bytes in the SYN (RFC 7413), where the server takes that.
        var asksFastOpen = false

        /// Little room to receive, yet several segments of the loopback's 64 KiB: with less, a
        /// sender's kernel may wait for a timer before each (RFC 1122, 4.2.3.4), and the case would
        /// judge that. A precaution: no server was seen to need it.
        static let smallWindow = Manner(receiveBufferBytes: 262_144)
    }

    private let descriptor: Descriptor

    /// Connects.
    init(
        _ target: SocketAddress,
        _ manner: Manner = Manner(),
        until deadline: UInt64
    ) throws(Trouble) {
        do throws(SystemError) {
            descriptor = try Socket.outgoing(target.family)
        } catch {
            throw .failed(error.code)
        }
        if let bytes = manner.receiveBufferBytes { set(SOL_SOCKET, SO_RCVBUF, bytes) }
        if manner.asksFastOpen { set(Int32(IPPROTO_TCP), Client.fastOpenConnect, 1) }
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: SocketAddress.storageBytes,
            alignment: 8
        )
        defer { storage.deallocate() }
        let length = target.write(to: storage)
        if let code = descriptor.startConnecting(to: storage, byteCount: length) {
            guard code == .inProgress else { throw Trouble(code) }
            guard wait(for: .writable, until: deadline) else { throw .timedOut }
            if let code = descriptor.takeSocketError() { throw Trouble(code) }
        }
    }

    deinit { descriptor.close() }

    // ---- bytes ----

    /// Receives what is there.
    func receive(into bytes: UnsafeMutableRawBufferPointer) -> Received {
        let count = descriptor.receive(into: bytes.baseAddress!, byteCount: bytes.count)
        if count > 0 { return .bytes(count) }
        if count == 0 { return .end }
        let code = Errno(rawValue: Int32(-count))
        return code == .tryAgain ? .nothingYet : .trouble(Trouble(code))
    }

    /// Sends what fits.
    func send(_ bytes: UnsafeRawBufferPointer) -> Sent {
        let piece = Piece(bytes: bytes.baseAddress!, byteCount: bytes.count)
        let count = withUnsafePointer(to: piece) {
            descriptor.send(UnsafeBufferPointer(start: $0, count: 1))
        }
        if count >= 0 { return .bytes(count) }
        let code = Errno(rawValue: Int32(-count))
        return code == .tryAgain ? .noRoom : .trouble(Trouble(code))
    }

    /// Sends a few bytes with flags of send(2), such as MSG_OOB.
    ///
    /// - Returns: whether the kernel took them all.
    func send(_ bytes: [UInt8], flags: Int32) -> Bool {
        let count = Glibc.send(
            descriptor.rawValue,
            bytes,
            bytes.count,
            flags | Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        )
        return count == bytes.count
    }

    // ---- states ----

    /// Waits.
    ///
    /// - Returns: whether what was waited for, an error or an end came before the deadline.
    func wait(for interest: Interest, until deadline: UInt64) -> Bool {
        Client.wait(for: [(self, interest)], until: deadline)[0]
    }

    /// Waits for the first of several.
    ///
    /// - Returns: for each, whether there is something to do.
    static func wait(for waits: [(Client, Interest)], until deadline: UInt64) -> [Bool] {
        // Who waits for nothing is left out: poll would report a hang-up to it without end.
        var polls = waits.map {
            pollfd(
                fd: $0.1.isEmpty ? -1 : $0.0.descriptor.rawValue,
                events: $0.1.rawValue,
                revents: 0
            )
        }
        while true {
            let now = Clock.monotonicNanoseconds()
            let left = deadline > now ? deadline - now : 0
            // Rounded up: a wait of less than a millisecond would spin.
            let milliseconds = Int32(clamping: (left + 999_999) / .nanosecondsPerMillisecond)
            let count = poll(&polls, nfds_t(polls.count), milliseconds)
            // Below 0 a signal has come; the loop asks again until the time is over.
            if count >= 0 || left == 0 { return polls.map { count > 0 && $0.revents != 0 } }
        }
    }

    /// Sends FIN.
    func finish() { descriptor.shutdownWriting() }

    /// Makes the close send RST.
    func resetOnClose() { descriptor.resetOnClose() }

    /// Whether the bytes sent in the SYN were taken there (TCPI_OPT_SYN_DATA of tcp(7)).
    var sentDataInSYN: Bool {
        var information = [UInt8](repeating: 0, count: 8)
        var length = socklen_t(information.count)
        let result = getsockopt(
            descriptor.rawValue,
            Int32(IPPROTO_TCP),
            TCP_INFO,
            &information,
            &length
        )
        return result == 0 && information[5] & 32 != 0
    }

    /// TCP_FASTOPEN_CONNECT of linux/tcp.h, which Swift's Glibc does not show everywhere.
    private static let fastOpenConnect: Int32 = 30

    /// An option is a wish: where the kernel refuses it, the connection is an ordinary one.
    private func set(_ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = setsockopt(descriptor.rawValue, level, name, &value, size)
    }
}
