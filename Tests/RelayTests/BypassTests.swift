// The way through pipes: that large amounts do take it, that they leave it when it does not pay or
// cannot be taken, and that it hands nobody another's byte. RelayTests runs everything else with
// pipes as well.

import Engine
import Glibc
import Net
import Relay
import Support
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct BypassTests {
    private static let settings = [Interface.uring, .epoll].map {
        Setting(interface: $0, pool: .normal, pipeCount: 2)
    }

    private func descriptorCount() -> Int {
        (0..<1024).count { fcntl($0, F_GETFD) >= 0 }
    }

    /// A large transfer comes to be copied no more, every byte is right, and the pipes are closed.
    @Test(arguments: settings)
    func largeAmountsGoThroughPipes(_ setting: Setting) throws {
        let before = descriptorCount()
        do {
            let listener = try TestListener()
            let relay = try RelayServer(setting, to: listener.address)
            let bytes = randomBytes(16 << 20, seed: 31)
            let client = try TestClient(relay.address)
            let upstream = try listener.accept()
            let sender = try Thread(name: "sender") {
                try? client.send(bytes)
                client.finish()
            }
            #expect(try upstream.receiveToEnd() == bytes)
            sender.join()
            upstream.finish()
            #expect(try client.receiveToEnd().isEmpty)
            let counters = relay.stop()
            #expect(counters.bytesBypassed > 1 << 20, "\(counters.bytesBypassed)")
            #expect(counters.bytesReceived == 16 << 20 && counters.bytesSent == 16 << 20)
            #expect(counters.bytesDropped == 0)
        }
        #expect(descriptorCount() == before)
    }

    /// Small messages behind a large transfer are copied again, and answered at once each: what
    /// corks them (SPLICE_F_MORE) or forgets to come back would make them wait.
    @Test(arguments: settings)
    func smallMessagesAreCopiedAgain(_ setting: Setting) throws {
        let echo = try EchoServer(.epoll)
        let relay = try RelayServer(setting, to: echo.address)
        let client = try TestClient(relay.address)
        let bytes = randomBytes(8 << 20, seed: 32)
        let sender = try Thread(name: "sender") { try? client.send(bytes) }
        #expect(try client.receive(exactly: bytes.count) == bytes)
        sender.join()
        for number in 0..<200 {
            let message = [UInt8](repeating: UInt8(number), count: 1 + number)
            try client.send(message)
            #expect(try client.receive(exactly: message.count) == message)
        }
        client.finish()
        #expect(try client.receiveToEnd().isEmpty)
        let counters = relay.stop()
        _ = echo.stop()
        #expect(counters.bytesBypassed > 0)
        // Of 400 small ones only a few went through a pipe: at most 4 in each direction.
        #expect(counters.receives > 392)
        #expect(counters.bytesDropped == 0)
    }

    /// More transfers at once than there are pipes, with readers that stop for a while: whoever
    /// gets no pipe is copied, and nobody gets another's.
    @Test(arguments: settings)
    func whereNoPipeIsFreeBytesAreCopied(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address)
        var pairs: [(client: TestClient, upstream: TestClient)] = []
        for _ in 0..<6 {
            let client = try TestClient(relay.address)
            pairs.append((client, try listener.accept()))
        }
        let payloads = (0..<6).map { randomBytes(6 << 20, seed: UInt64(40 + $0)) }
        let senders = try pairs.enumerated().map { number, pair in
            let (client, bytes) = (pair.client, payloads[number])
            return try Thread(name: "sender") {
                try? client.send(bytes)
                client.finish()
            }
        }
        // Nobody reads: pipes and buffers fill up.
        usleep(200_000)
        for (number, pair) in pairs.enumerated() {
            let received = try pair.upstream.receiveToEnd()
            #expect(received == payloads[number], "pair \(number)")
        }
        for sender in senders { sender.join() }
        #expect(relay.stop().bytesDropped == 0)
    }

    /// The upstream is cut while a pipe holds bytes for it: they are dropped and counted, the
    /// client learns, and the pipe's next user gets none of them.
    @Test(arguments: settings)
    func whatIsLeftInAPipeGoesToNobody(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address)
        // More than all buffers on the way hold.
        let stuck = [UInt8](repeating: 7, count: 64 << 20)
        for _ in 0..<6 {
            let client = try TestClient(relay.address)
            var upstream: TestClient? = try listener.accept()
            let isCut = Flag()
            let sender = try Thread(name: "sender") {
                do { try client.send(stuck) } catch { isCut.set() }
            }
            _ = try upstream?.receive(exactly: 2 << 20)
            usleep(100_000)
            upstream?.resetOnClose()
            upstream = nil
            sender.join()
            #expect(isCut.isSet)
        }
        let client = try TestClient(relay.address)
        let upstream = try listener.accept()
        let bytes = randomBytes(8 << 20, seed: 60)
        let sender = try Thread(name: "sender") {
            try? client.send(bytes)
            client.finish()
        }
        #expect(try upstream.receiveToEnd() == bytes)
        sender.join()
        let counters = relay.stop()
        #expect(counters.bytesBypassed > 0)
        #expect(counters.bytesDropped > 0)
    }

    /// The upstream resets while a pipe holds bytes for a client that does not read. The reset
    /// waits for them, and the write timeout ends the wait: the connection is not kept for ever.
    @Test(arguments: settings)
    func aResetBehindAStalledPipeIsNotKept(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address) { _, plan in
            plan.policy.writeNanoseconds = 2 * .nanosecondsPerSecond
            plan.policy.graceNanoseconds = .nanosecondsPerSecond / 2
        }
        let client = try TestClient(relay.address, receiveBufferBytes: 4096)
        var upstream: TestClient? = try listener.accept()
        var rest = [UInt8](repeating: 7, count: 64 << 20)[...]
        for _ in 0..<200 where !rest.isEmpty {
            rest = rest.dropFirst(try upstream?.sendAvailable(rest) ?? 0)
            usleep(1000)
        }
        upstream?.resetOnClose()
        upstream = nil
        // While the pipe is full nothing is read of the upstream: a send to it learns of its RST.
        for _ in 0..<5 {
            try client.send([8])
            usleep(20_000)
        }
        // As long as the client's socket is not reset its connection is kept.
        #expect(try client.isReset(withinMilliseconds: 10_000))
        _ = relay.stop()
    }

    /// A splice does not get past an urgent byte.
    @Test(arguments: settings)
    func anUrgentByteDoesNotStopIt(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address)
        let client = try TestClient(relay.address)
        let upstream = try listener.accept()
        let bytes = randomBytes(4 << 20, seed: 61)
        let sender = try Thread(name: "sender") {
            try? client.send(bytes)
            try? client.send(urgent: 7)
            try? client.send(bytes)
            client.finish()
        }
        // The urgent byte itself is out of band, and none of the stream (tcp(7)).
        #expect(try upstream.receiveToEnd() == bytes + bytes)
        sender.join()
        #expect(relay.stop().bytesBypassed > 0)
    }
}

/// A flag that one thread sets and another reads.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
