// What a relay must do with bytes and ends, on real sockets, on every backend, and with pools that
// make trouble.

import Engine
import Glibc
import Net
import Relay
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct RelayTests {
    /// A client of a relay and the upstream end of the same pair.
    private func pair(
        _ setting: Setting,
        _ body: (TestClient, TestClient, RelayServer) throws -> Void
    ) throws -> Counters {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address)
        do {
            let client = try TestClient(relay.address)
            try body(client, try listener.accept(), relay)
        } catch {
            _ = relay.stop()
            throw error
        }
        return relay.stop()
    }

    // ---- bytes ----

    @Test(arguments: Setting.all)
    func bytesPassBothWays(_ setting: Setting) throws {
        let echo = try EchoServer(.epoll)
        let relay = try RelayServer(setting, to: echo.address)
        let client = try TestClient(relay.address)
        for size in [1, 15, 16, 17, 4095, 65536, 65537, 1 << 20] {
            let bytes = randomBytes(size, seed: UInt64(size))
            let sender = try Thread(name: "sender") { try? client.send(bytes) }
            #expect(try client.receive(exactly: size) == bytes, "size \(size)")
            sender.join()
        }
        client.finish()
        #expect(try client.receiveToEnd().isEmpty)
        let counters = relay.stop()
        _ = echo.stop()
        #expect(counters.bytesReceived == counters.bytesSent)
        #expect(counters.bytesDropped == 0)
        #expect(relay.upstreams.upstreams[0].connectionCount == 0)
    }

    @Test(arguments: Setting.all)
    func neitherSideOutrunsTheOther(_ setting: Setting) throws {
        let bytes = randomBytes(6 << 20, seed: 3)
        _ = try pair(setting) { client, upstream, _ in
            let sender = try Thread(name: "sender") {
                try? client.send(bytes)
                client.finish()
            }
            // What has no reader stays with its sender, but for some buffers of the kernels and
            // the pool.
            usleep(100_000)
            #expect(try upstream.receiveToEnd() == bytes)
            sender.join()
        }
    }

    // ---- FIN, in all four orders ----

    @Test(arguments: Setting.all)
    func theClientFinishesFirst(_ setting: Setting) throws {
        let (request, response) = (randomBytes(300_000, seed: 4), randomBytes(700_000, seed: 5))
        let counters = try pair(setting) { client, upstream, _ in
            let sender = try Thread(name: "sender") {
                try? client.send(request)
                client.finish()
            }
            #expect(try upstream.receiveToEnd() == request)
            sender.join()
            let answerer = try Thread(name: "answerer") {
                try? upstream.send(response)
                upstream.finish()
            }
            #expect(try client.receiveToEnd() == response)
            answerer.join()
        }
        #expect(counters.bytesDropped == 0)
    }

    @Test(arguments: Setting.all)
    func theUpstreamFinishesFirst(_ setting: Setting) throws {
        let (request, response) = (randomBytes(300_000, seed: 6), randomBytes(700_000, seed: 7))
        let counters = try pair(setting) { client, upstream, _ in
            let answerer = try Thread(name: "answerer") {
                try? upstream.send(response)
                upstream.finish()
            }
            #expect(try client.receiveToEnd() == response)
            answerer.join()
            let sender = try Thread(name: "sender") {
                try? client.send(request)
                client.finish()
            }
            #expect(try upstream.receiveToEnd() == request)
            sender.join()
        }
        #expect(counters.bytesDropped == 0)
    }

    @Test(arguments: Setting.all)
    func bothFinishAtOnce(_ setting: Setting) throws {
        let (request, response) = (randomBytes(50_000, seed: 8), randomBytes(60_000, seed: 9))
        let counters = try pair(setting) { client, upstream, _ in
            try client.send(request)
            try upstream.send(response)
            client.finish()
            upstream.finish()
            #expect(try upstream.receiveToEnd() == request)
            #expect(try client.receiveToEnd() == response)
        }
        #expect(counters.bytesDropped == 0)
    }

    @Test(arguments: Setting.all)
    func nobodySendsAnything(_ setting: Setting) throws {
        _ = try pair(setting) { client, upstream, _ in
            client.finish()
            let request = try upstream.receiveToEnd()
            upstream.finish()
            let response = try client.receiveToEnd()
            #expect(request.isEmpty && response.isEmpty)
        }
    }

    // ---- RST ----

    @Test(arguments: Setting.all)
    func aResetOfTheClientBecomesOne(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address)
        defer { _ = relay.stop() }
        let bytes = randomBytes(40_000, seed: 10)
        var client: TestClient? = try TestClient(relay.address)
        let upstream = try listener.accept()
        try client?.send(bytes)
        // It has arrived when the upstream has the first byte and more waits.
        #expect(try upstream.isReadable(withinMilliseconds: 10_000))
        usleep(50_000)
        client?.resetOnClose()
        client = nil
        // Every byte from before, then the reset.
        #expect(try upstream.receive(exactly: bytes.count) == bytes)
        #expect(throws: TestClient.CallFailed.self) { try upstream.receiveToEnd() }
    }

    @Test(arguments: Setting.all)
    func aResetOfTheUpstreamBecomesOne(_ setting: Setting) throws {
        let listener = try TestListener()
        let relay = try RelayServer(setting, to: listener.address)
        defer { _ = relay.stop() }
        let bytes = randomBytes(40_000, seed: 11)
        let client = try TestClient(relay.address)
        var upstream: TestClient? = try listener.accept()
        try upstream?.send(bytes)
        #expect(try client.isReadable(withinMilliseconds: 10_000))
        usleep(50_000)
        upstream?.resetOnClose()
        upstream = nil
        #expect(try client.receive(exactly: bytes.count) == bytes)
        #expect(throws: TestClient.CallFailed.self) { try client.receiveToEnd() }
    }

    // ---- how soon ----

    /// The time from an action to its effect, of many tries the one in the middle: one try may meet
    /// a busy machine.
    private func medianMilliseconds(_ once: () throws -> Double) rethrows -> Double {
        try (0..<15).map { _ in try once() }.sorted()[7]
    }

    private func now() -> Double { Double(Clock.monotonicNanoseconds()) / 1e6 }

    /// Nothing waits for a timer on the way of a FIN.
    @Test(arguments: Interface.allCases)
    func aFinishIsPassedOnWithinTenMilliseconds(_ interface: Interface) throws {
        let listener = try TestListener()
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: listener.address)
        defer { _ = relay.stop() }
        let median = try medianMilliseconds {
            let client = try TestClient(relay.address)
            let upstream = try listener.accept()
            try client.send([1])
            let start = now()
            client.finish()
            #expect(try upstream.receiveToEnd() == [1])
            return now() - start
        }
        #expect(median < 10, "\(median) ms")
    }

    /// R14: what the kernel says of an upstream its client hears soon.
    @Test(arguments: Interface.allCases)
    func aBreakIsPassedOnWithinAHundredMilliseconds(_ interface: Interface) throws {
        let listener = try TestListener()
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: listener.address)
        defer { _ = relay.stop() }
        let median = try medianMilliseconds {
            let client = try TestClient(relay.address)
            var upstream: TestClient? = try listener.accept()
            try upstream?.send([1])
            let start = now()
            upstream?.resetOnClose()
            upstream = nil
            #expect(throws: TestClient.CallFailed.self) { try client.receiveToEnd() }
            return now() - start
        }
        #expect(median < 100, "\(median) ms")
    }

    // ---- upstreams that cannot be reached ----

    /// An address on which nobody listens.
    private func deadAddress() throws -> SocketAddress {
        // The listener is closed as soon as its port is known.
        try TestListener().address
    }

    @Test(arguments: Interface.allCases)
    func anUnreachableUpstreamIsPassedOver(_ interface: Interface) throws {
        let echo = try EchoServer(.epoll)
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: [(try deadAddress(), ""), (echo.address, "")])
        for number in 0..<10 {
            let client = try TestClient(relay.address)
            let bytes = randomBytes(100, seed: UInt64(number))
            try client.send(bytes)
            #expect(try client.receive(exactly: 100) == bytes)
        }
        #expect(relay.count("connect_retries") > 0)
        _ = (relay.stop(), echo.stop())
        #expect(relay.upstreams.upstreams.allSatisfy { $0.connectionCount == 0 })
    }

    @Test(arguments: Interface.allCases)
    func withoutAnUpstreamTheClientIsCut(_ interface: Interface) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: try deadAddress())
        defer { _ = relay.stop() }
        let client = try TestClient(relay.address)
        #expect(throws: TestClient.CallFailed.self) { try client.receiveToEnd() }
        #expect(relay.count("no_upstream") == 1)
    }

    @Test(arguments: Interface.allCases)
    func withoutAnUpstreamTheClientMayBeTold(_ interface: Interface) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: try deadAddress()) { relay, _ in
            relay.failure = .fin
        }
        defer { _ = relay.stop() }
        let client = try TestClient(relay.address)
        try? client.send([1, 2, 3])
        #expect(try client.receiveToEnd().isEmpty)
    }

    /// A connect that hangs is given up in time, and the next upstream taken.
    @Test(arguments: Interface.allCases)
    func aConnectThatHangsIsGivenUp(_ interface: Interface) throws {
        // A full queue: the kernel drops further SYNs.
        let full = try TestListener(backlog: 0)
        let stuffing = (0..<2).map { _ in try? TestClient(full.address, timeoutSeconds: 1) }
        defer { withExtendedLifetime(stuffing) {} }
        let echo = try EchoServer(.epoll)
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: [(full.address, ""), (echo.address, ",backup")]) {
            relay,
            plan in
            plan.policy.connectNanoseconds = 300 * .nanosecondsPerMillisecond
        }
        let client = try TestClient(relay.address)
        try client.send([7])
        #expect(try client.receive(exactly: 1) == [7])
        #expect(relay.count("connect_retries") == 1)
        _ = (relay.stop(), echo.stop())
    }

    /// What one client has no upstream for does not keep others from being accepted.
    @Test(arguments: Interface.allCases)
    func thereIsRoomForTheUpstreamOfEachClient(_ interface: Interface) throws {
        let echo = try EchoServer(.epoll)
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: echo.address) { _, plan in
            plan.limits.connectionsMax = 8
        }
        var clients = try (0..<4).map { _ in try TestClient(relay.address) }
        let fifth = try TestClient(relay.address)
        for (number, client) in clients.enumerated() {
            try client.send([UInt8(number)])
            #expect(try client.receive(exactly: 1) == [UInt8(number)])
        }
        try fifth.send([9])
        #expect(try fifth.isReadable(withinMilliseconds: 100) == false)
        clients.removeLast()
        #expect(try fifth.receive(exactly: 1) == [9])
        let counters = { relay.stop() }()
        _ = echo.stop()
        #expect(counters.accepted == 5)
    }

    // ---- who may connect ----

    @Test(arguments: Interface.allCases)
    func whoMayNotConnectIsCut(_ interface: Interface) throws {
        let echo = try EchoServer(.epoll)
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: echo.address) { relay, _ in
            relay.access = AccessList(allow: [], deny: [AddressPrefix(parsing: "127.0.0.0/8")!])
        }
        let client = try TestClient(relay.address)
        #expect(throws: TestClient.CallFailed.self) {
            try client.send([1])
            _ = try client.receiveToEnd()
        }
        #expect(relay.count("access_denied") == 1)
        _ = (relay.stop(), echo.stop())
    }
}
