// R9: a thousand clients that send and do not read. The server's memory stays within its bounds,
// and when they read at last every byte is there. While they are a hundred, others are served.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(3)))
struct SlowReadersTests {
    private static let count = 1000
    private static let bytesEach = 10 << 20

    @Test(arguments: ["uring", "epoll"])
    func slowReadersAreBounded(_ backend: String) throws {
        // What the kernel holds for a connection is bounded, so that the rest waits in the server.
        let buffers = ["--send-buffer", "32k", "--receive-buffer", "32k"]
        let server = try Server(["--backend", backend, "--workers", "1"] + buffers)
        let before = try server.residentBytes()
        let readers = try stuckReaders(Self.count, of: server)
        let growth = try server.residentBytes() - before
        let stuck = readers.reduce(0) { $0 + $1.sent }
        let limit = Self.count * (64 << 10) + (16 << 20)
        var verified = 0
        while readers.contains(where: { !$0.isDone }) {
            for reader in readers where !reader.isDone {
                try reader.sendSome()
                verified += try reader.receiveSome()
            }
        }
        print(
            "R9 backend=\(backend) readers=\(Self.count) bytes=\(verified) unread=\(stuck) "
                + "rss_growth=\(growth) limit=\(limit)"
        )
        #expect(verified == Self.count * Self.bytesEach)
        #expect(stuck > Self.count * (64 << 10), "more than the server keeps for itself")
        #expect(growth <= limit)
        #expect(growth > limit / 4, "the bytes wait in the server, not in the kernel alone")
        for reader in readers { reader.finish() }
        #expect(try server.stop().status == 0)
    }

    /// What is left of the pool is for those who read.
    @Test(arguments: ["uring", "epoll"])
    func othersAreServedMeanwhile(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1", "--drain-timeout", "1s"])
        let readers = try stuckReaders(100, of: server)
        let other = try TestClient(SocketAddress(parsing: server.address), timeoutSeconds: 2)
        for value in 0..<100 {
            let bytes = [UInt8](repeating: UInt8(value), count: 1000)
            try other.send(bytes)
            #expect(try other.receive(exactly: 1000) == bytes)
        }
        other.finish()
        _ = consume readers
        #expect(try server.stop().status == 0)
    }

    /// How much each of the readers may leave unread: half of what the kernel gives to TCP before
    /// it saves memory. Beyond that it keeps windows shut towards clients that do read, for longer
    /// than `--write-timeout`, and a server can do nothing about it (tcp(7), tcp_mem).
    private static func unreadBytes(readers: Int) throws -> Int {
        let pages = try String(contentsOfFile: "/proc/sys/net/ipv4/tcp_mem", encoding: .utf8)
            .split(whereSeparator: \.isWhitespace)
        let low = try #require(pages.first.flatMap { Int($0) }) * Int(getpagesize())
        return min(bytesEach, low / 2 / readers)
    }

    /// Clients that have sent what they may leave unread, or until the server took no more.
    private func stuckReaders(_ count: Int, of server: Server) throws -> [SlowReader] {
        let target = try SocketAddress(parsing: server.address)
        let pattern = randomBytes(1 << 16, seed: 77)
        let unread = try Self.unreadBytes(readers: count)
        let readers = try (0..<count).map { number in
            SlowReader(
                try TestClient(target, receiveBufferBytes: 65536),
                pattern,
                from: number,
                total: Self.bytesEach,
                unread: unread
            )
        }
        let sendingUntil = Date().addingTimeInterval(3)
        while Date() < sendingUntil {
            for reader in readers { try reader.sendSome() }
        }
        return readers
    }
}

/// A client that sends a repeated pattern from a place of its own on, and checks what comes back.
private final class SlowReader {
    private let client: TestClient
    private let pattern: [UInt8]
    private let first: Int
    /// How much it sends in all.
    private let total: Int
    /// How much of it at once is on its way.
    private let unread: Int
    private(set) var sent = 0
    private var received = 0

    init(_ client: TestClient, _ pattern: [UInt8], from first: Int, total: Int, unread: Int) {
        self.client = client
        self.pattern = pattern
        self.first = first
        self.total = total
        self.unread = unread
    }

    var isDone: Bool { received == total }

    /// The bytes from an offset of the stream on, as far as the pattern goes.
    private func bytes(from offset: Int) -> ArraySlice<UInt8> {
        let start = (first * 61 + offset) % pattern.count
        return pattern[start..<min(pattern.count, start + total - offset)]
    }

    func finish() { client.finish() }

    func sendSome() throws {
        let room = unread - (sent - received)
        guard sent < total, room > 0 else { return }
        sent += try client.sendAvailable(bytes(from: sent).prefix(room))
    }

    func receiveSome() throws -> Int {
        guard let part = try client.receiveAvailable() else { return 0 }
        guard !part.isEmpty else { throw Wrong(offset: received) }
        var checked = 0
        while checked < part.count {
            let expected = bytes(from: received + checked).prefix(part.count - checked)
            let isRight = expected.withUnsafeBytes { expected in
                part.withUnsafeBytes {
                    memcmp($0.baseAddress! + checked, expected.baseAddress!, expected.count) == 0
                }
            }
            guard isRight else { throw Wrong(offset: received + checked) }
            checked += expected.count
        }
        received += part.count
        return part.count
    }

    struct Wrong: Error { let offset: Int }
}
