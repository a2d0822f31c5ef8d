// Limits on bytes in a second: the rate holds, every byte arrives all the same, one source does not
// slow another, and ends come through. A slow machine may take longer than a limit asks for, so
// times are bounded from below alone.

import Net
import Support
import Synchronization
import Testing

@testable import Engine
@testable import Relay

@Suite(.serialized, .timeLimit(.minutes(2)))
struct LimitTests {
    private let second = UInt64.nanosecondsPerSecond

    /// A relay with limits, to an upstream that the test serves.
    private func relay(
        _ interface: Interface,
        to upstream: SocketAddress,
        perSecond: Int = 0,
        perSecondPerSource: Int = 0,
        workers: Int = 1
    ) throws -> RelayServer {
        let setting = Setting(interface: interface, pool: .normal)
        return try RelayServer(setting, to: upstream) { relay, plan in
            plan.limits.bufferBytes = 16384
            plan.workerCount = workers
            plan.usesMultishot = false
            relay.rates = ByteRates(
                perSecond: perSecond,
                perSecondPerSource: perSecondPerSource,
                clientsMax: 100
            )
        }
    }

    /// Sends bytes and then FIN, without waiting for the reader.
    private func sending(_ bytes: [UInt8], on client: TestClient) throws -> Thread {
        try Thread(name: "sender") {
            try? client.send(bytes)
            client.finish()
        }
    }

    private func seconds(since start: UInt64) -> Double {
        Double(Clock.monotonicNanoseconds() - start) / Double(second)
    }

    /// Up and down one after the other, each ended by FIN: so the half-closed connection goes on
    /// under its limit.
    @Test(arguments: Interface.allCases, [true, false])
    func aRateHoldsInBothDirections(_ interface: Interface, _ isPerSource: Bool) throws {
        let listener = try TestListener()
        let rate = 1 << 20
        let relay = try relay(
            interface,
            to: listener.address,
            perSecond: isPerSource ? 0 : rate,
            perSecondPerSource: isPerSource ? rate : 0
        )
        let client = try TestClient(relay.address)
        let upstream = try listener.accept()
        let (request, response) = (randomBytes(1 << 20, seed: 1), randomBytes(1 << 20, seed: 2))
        let start = Clock.monotonicNanoseconds()
        var sender = try sending(request, on: client)
        #expect(try upstream.receiveToEnd() == request)
        sender.join()
        // All but a tenth of a second's worth, and two buffers.
        #expect(seconds(since: start) > 0.8)
        sender = try sending(response, on: upstream)
        #expect(try client.receiveToEnd() == response)
        sender.join()
        #expect(seconds(since: start) > 1.8)
        let counters = relay.stop()
        #expect(counters.bytesDropped == 0)
        #expect(counters.bytesSent == UInt64(request.count + response.count))
        #expect(relay.count("rate_pauses") > 0)
    }

    /// Sources have their own buckets: one that is held for seconds holds nobody else.
    @Test(arguments: Interface.allCases)
    func oneSourceDoesNotSlowAnother(_ interface: Interface) throws {
        let echo = try EchoServer(.epoll)
        let relay = try relay(interface, to: echo.address, perSecondPerSource: 200_000)
        let isOver = Mutex(false)
        let bytes = randomBytes(300_000, seed: 3)
        let greedy = try TestClient(relay.address)
        let sender = try sending(bytes, on: greedy)
        // There and back 600,000 bytes: more than two seconds.
        let reader = try Thread(name: "reader") {
            #expect((try? greedy.receiveToEnd()) == bytes)
            isOver.withLock { $0 = true }
        }
        let modest = try TestClient(relay.address, from: SocketAddress(parsing: "127.0.0.2:0"))
        for number in 0..<10 {
            let message = randomBytes(500, seed: UInt64(number))
            try modest.send(message)
            #expect(try modest.receive(exactly: 500) == message)
        }
        #expect(isOver.withLock { $0 } == false)
        sender.join()
        reader.join()
        _ = (relay.stop(), echo.stop())
    }

    /// The total is that of all workers together; every client gets through.
    @Test(arguments: Interface.allCases)
    func workersShareTheTotal(_ interface: Interface) throws {
        let echo = try EchoServer(.epoll)
        let relay = try relay(interface, to: echo.address, perSecond: 1 << 20, workers: 2)
        let start = Clock.monotonicNanoseconds()
        let clients = try (0..<6).map { _ in try TestClient(relay.address) }
        let threads = try clients.enumerated().flatMap { number, client in
            let bytes = randomBytes(150_000, seed: UInt64(number) + 10)
            return [
                try sending(bytes, on: client),
                try Thread(name: "reader") {
                    let received = try? client.receiveToEnd()
                    #expect(received == bytes, "client \(number)")
                },
            ]
        }
        for thread in threads { thread.join() }
        // 1.8 million bytes there and back, and one mebibyte a second; of which a tenth and two
        // buffers of each connection may come before.
        #expect(seconds(since: start) > 1.2)
        let counters = relay.stop()
        _ = echo.stop()
        #expect(counters.bytesDropped == 0)
        #expect(counters.bytesSent == 2 * 6 * 150_000)
    }

    /// A client that is held learns that its upstream was reset, and leaves nothing behind.
    @Test(arguments: Interface.allCases)
    func aHeldClientIsEndedWithItsUpstream(_ interface: Interface) throws {
        let listener = try TestListener()
        let relay = try relay(interface, to: listener.address, perSecondPerSource: 1000)
        for round in 0..<3 {
            // Each from an address that owes nothing.
            let source = try SocketAddress(parsing: "127.0.0.\(round + 3):0")
            let client = try TestClient(relay.address, from: source)
            var upstream: TestClient? = try listener.accept()
            let bytes = randomBytes(10_000, seed: UInt64(round))
            // What has arrived is passed on at once, and then the client is held for ten seconds.
            try client.send(bytes)
            #expect(try upstream?.receive(exactly: bytes.count) == bytes)
            upstream?.resetOnClose()
            upstream = nil
            #expect(throws: TestClient.CallFailed.self) { try client.receiveToEnd() }
        }
        #expect(relay.count("rate_pauses") > 0)
        let counters = relay.stop()
        #expect(counters.closed == 6)
        #expect(relay.upstreams.upstreams[0].connectionCount == 0)
    }

    /// What a proxy's client sends is charged to the client, not to the proxy.
    @Test(arguments: Interface.allCases)
    func aProxysClientIsASourceOfItsOwn(_ interface: Interface) throws {
        let listener = try TestListener()
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: listener.address) { relay, _ in
            relay.proxyFrom = [AddressPrefix(parsing: "127.0.0.0/8")!]
            relay.rates = ByteRates(perSecond: 0, perSecondPerSource: 1000, clientsMax: 10)
        }
        func connect(_ source: String) throws -> (client: TestClient, upstream: TestClient) {
            let client = try TestClient(relay.address)
            try client.send(Array("PROXY TCP4 \(source) 10.0.0.9 5 6\r\n".utf8))
            return (client, try listener.accept())
        }
        let greedy = try connect("10.0.0.1")
        let bytes = randomBytes(60_000, seed: 30)
        try greedy.client.send(bytes)
        #expect(try greedy.upstream.receive(exactly: bytes.count) == bytes)
        // From here on it is held for a minute; the other would be from its second byte on.
        let modest = try connect("10.0.0.2")
        for number in 0..<10 {
            try modest.client.send([UInt8(number)])
            #expect(try modest.upstream.receive(exactly: 1) == [UInt8(number)])
        }
        try greedy.client.send([1])
        #expect(try greedy.upstream.isReadable(withinMilliseconds: 50) == false)
        _ = relay.stop()
    }

    // ---- the line of those who wait ----

    @Test func theLineKeepsItsOrder() {
        let seed = UInt64.random(in: 1...UInt64.max)
        let random = randomBytes(60_000, seed: seed)
        var line = WaitingLine(capacity: 50)
        var model: [UInt32: UInt64] = [:]
        var now: UInt64 = 0
        for step in 0..<20_000 {
            let slot = UInt32(random[3 * step] % 50)
            let time = UInt64(random[3 * step + 1])
            switch random[3 * step + 2] % 4 {
            case 0, 1:
                line.insert(ConnectionID(slot: slot, generation: 1), until: now + time)
                model[slot] = now + time
            case 2:
                line.remove(slot: slot)
                model[slot] = nil
            default:
                now += time / 8
                var last: UInt64 = 0
                while let connection = line.popDue(now: now) {
                    let moment = model.removeValue(forKey: connection.slot)
                    #expect(moment.map { $0 >= last && $0 <= now } == true, "seed \(seed)")
                    last = moment ?? last
                }
            }
            #expect(line.earliest == model.values.min(), "seed \(seed)")
        }
    }
}
