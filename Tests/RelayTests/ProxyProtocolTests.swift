// The PROXY protocol on real sockets: what upstreams are told of their clients, what is taken from
// proxies in front, and that not one byte of the client's is lost, moved or added by it.

import Engine
import Glibc
import Net
import Relay
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct ProxyProtocolTests {
    private static let loopback = AddressPrefix(parsing: "127.0.0.0/8")!
    private static let line = Array("PROXY TCP4 192.0.2.7 198.51.100.9 4711 443\r\n".utf8)
    private static let tlvs: [UInt8] = [0x02, 0, 4] + Array("host".utf8) + [0xE0, 0, 2, 7, 9]
    private static let told = ProxyHeader(
        ends: ProxyHeader.Ends(
            source: try! SocketAddress(parsing: "192.0.2.7:4711"),
            destination: try! SocketAddress(parsing: "198.51.100.9:443")
        ),
        tlvs: tlvs
    )

    private struct Stage {
        let listener: TestListener
        let relay: RelayServer

        init(
            _ setting: Setting,
            from proxies: [AddressPrefix] = [],
            to version: ProxyVersion? = nil,
            adjust: (inout RelayPlan, inout GroupPlan) -> Void = { _, _ in }
        ) throws {
            listener = try TestListener()
            relay = try RelayServer(setting, to: listener.address) { relay, plan in
                relay.proxyFrom = proxies
                relay.proxyTo = version
                adjust(&relay, &plan)
            }
        }
    }

    /// Reads the header that an upstream gets, and not a byte more.
    private func header(_ upstream: TestClient) throws -> ProxyHeader? {
        var reader = ProxyHeaderReader()
        while true {
            let byte = try upstream.receive(exactly: 1)
            switch reader.take(byte.span.bytes) {
            case .more: continue
            case .complete(let header, _): return header
            case .malformed: return nil
            }
        }
    }

    // ---- to upstreams ----

    /// nginx's `stream_proxy_protocol`: the header is first, and says who the client is.
    @Test(arguments: Setting.all, ProxyVersion.allCases)
    func anUpstreamIsToldOfItsClient(_ setting: Setting, _ version: ProxyVersion) throws {
        let stage = try Stage(setting, to: version)
        let client = try TestClient(stage.relay.address)
        let bytes = randomBytes(200_000, seed: 21)
        let sender = try Thread(name: "sender") {
            try? client.send(bytes)
            client.finish()
        }
        let upstream = try stage.listener.accept()
        let told = try header(upstream)
        #expect(told?.ends?.source == client.localAddress)
        #expect(told?.ends?.destination == stage.relay.address)
        #expect(try upstream.receiveToEnd() == bytes)
        sender.join()
        try upstream.send(Array(bytes.prefix(70_000)))
        upstream.finish()
        #expect(try client.receiveToEnd() == Array(bytes.prefix(70_000)))
        #expect(stage.relay.stop().bytesDropped == 0)
    }

    /// An upstream may speak first; its header does not wait for a byte of the client's.
    @Test(arguments: Setting.all)
    func theHeaderDoesNotWaitForTheClient(_ setting: Setting) throws {
        let stage = try Stage(setting, to: .v2)
        let client = try TestClient(stage.relay.address)
        let upstream = try stage.listener.accept()
        #expect(try header(upstream)?.ends?.source == client.localAddress)
        try upstream.send([1, 2, 3])
        #expect(try client.receive(exactly: 3) == [1, 2, 3])
        _ = stage.relay.stop()
    }

    // ---- from proxies ----

    /// nginx's `stream_realip`, and HAProxy's `proxy_protocol_tlv_validation`: what came in goes
    /// out, in whatever pieces it came, and whatever came along with it.
    @Test(arguments: Setting.all, [1, 7, 40, 100_000])
    func aHeaderIsPassedOn(_ setting: Setting, _ pieceBytes: Int) throws {
        let stage = try Stage(setting, from: [ProxyProtocolTests.loopback], to: .v2)
        let client = try TestClient(stage.relay.address)
        let payload = randomBytes(300_000, seed: 22)
        let sender = try Thread(name: "sender") {
            let head = ProxyProtocolTests.told.encoded(as: .v2)
            let first = head + payload.prefix(50)
            for start in stride(from: 0, to: first.count, by: pieceBytes) {
                try? client.send(Array(first[start..<min(start + pieceBytes, first.count)]))
                if pieceBytes < first.count { usleep(300) }
            }
            try? client.send(Array(payload.dropFirst(50)))
            client.finish()
        }
        let upstream = try stage.listener.accept()
        #expect(try header(upstream) == ProxyProtocolTests.told)
        #expect(try upstream.receiveToEnd() == payload)
        sender.join()
        upstream.finish()
        #expect(try client.receiveToEnd().isEmpty)
        #expect(stage.relay.stop().bytesDropped == 0)
    }

    /// Everything a client has to say may be in its first segment, FIN included.
    @Test(arguments: Setting.all, [0, 1, 5000])
    func whatComesWithTheHeaderIsNotLost(_ setting: Setting, _ byteCount: Int) throws {
        let stage = try Stage(setting, from: [ProxyProtocolTests.loopback])
        let client = try TestClient(stage.relay.address)
        let payload = randomBytes(byteCount, seed: 23)
        try client.send(ProxyProtocolTests.line + payload)
        client.finish()
        let upstream = try stage.listener.accept()
        #expect(try upstream.receiveToEnd() == payload)
        try upstream.send([9])
        upstream.finish()
        #expect(try client.receiveToEnd() == [9])
        #expect(stage.relay.stop().bytesDropped == 0)
    }

    /// From anybody else a header is only bytes: or anyone could say to be anyone.
    @Test(arguments: Interface.allCases)
    func onlyProxiesAreBelieved(_ interface: Interface) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let others = AddressPrefix(parsing: "10.0.0.0/8")!
        let stage = try Stage(setting, from: [others], to: .v1)
        let client = try TestClient(stage.relay.address)
        try client.send(ProxyProtocolTests.line)
        client.finish()
        let upstream = try stage.listener.accept()
        #expect(try header(upstream)?.ends?.source == client.localAddress)
        #expect(try upstream.receiveToEnd() == ProxyProtocolTests.line)
        _ = stage.relay.stop()
    }

    /// HAProxy's `proxy_protocol_random_fail`: what is no header ends the connection, and no
    /// upstream hears of it.
    @Test(
        arguments: Interface.allCases,
        ["GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n", "PROXY TCP4 1.2"]
    )
    func whatIsNoHeaderIsCut(_ interface: Interface, _ text: String) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let stage = try Stage(setting, from: [ProxyProtocolTests.loopback])
        let client = try TestClient(stage.relay.address)
        try client.send(Array(text.utf8))
        client.finish()
        #expect(throws: TestClient.CallFailed.self) { try client.receiveToEnd() }
        #expect(stage.relay.count("proxy_header_malformed") == 1)
        #expect(!stage.listener.hasConnection(withinMilliseconds: 50))
        _ = stage.relay.stop()
    }

    /// A load balancer that only looks whether somebody listens has done nothing wrong.
    @Test(arguments: Interface.allCases)
    func aConnectionWithoutAByteIsNoFault(_ interface: Interface) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let stage = try Stage(setting, from: [ProxyProtocolTests.loopback])
        let client = try TestClient(stage.relay.address)
        client.finish()
        #expect(try client.receiveToEnd().isEmpty)
        #expect(stage.relay.count("proxy_header_malformed") == 0)
        #expect(!stage.listener.hasConnection(withinMilliseconds: 50))
        _ = stage.relay.stop()
    }

    /// Each of those who are silent is cut in its own time, and one who has spoken is not.
    @Test(arguments: Interface.allCases)
    func aHeaderHasItsTime(_ interface: Interface) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let stage = try Stage(setting, from: [ProxyProtocolTests.loopback]) { relay, _ in
            relay.headerNanoseconds = 300 * .nanosecondsPerMillisecond
        }
        let silent = try TestClient(stage.relay.address)
        let speaking = try TestClient(stage.relay.address)
        let slow = try TestClient(stage.relay.address)
        try speaking.send(ProxyProtocolTests.line)
        try slow.send(Array(ProxyProtocolTests.line.prefix(10)))
        let upstream = try stage.listener.accept()
        #expect(throws: TestClient.CallFailed.self) { try silent.receiveToEnd() }
        #expect(throws: TestClient.CallFailed.self) { try slow.receiveToEnd() }
        #expect(stage.relay.count("proxy_header_overdue") == 2)
        try speaking.send([5])
        #expect(try upstream.receive(exactly: 1) == [5])
        _ = stage.relay.stop()
    }

    /// Who may connect is who the proxy says has connected.
    @Test(arguments: Interface.allCases)
    func theHeadersSourceIsJudged(_ interface: Interface) throws {
        let setting = Setting(interface: interface, pool: .normal)
        let stage = try Stage(setting, from: [ProxyProtocolTests.loopback]) { relay, _ in
            relay.access = AccessList(allow: [AddressPrefix(parsing: "192.0.2.0/24")!], deny: [])
        }
        let allowed = try TestClient(stage.relay.address)
        try allowed.send(ProxyProtocolTests.line + [1])
        #expect(try stage.listener.accept().receive(exactly: 1) == [1])
        let denied = try TestClient(stage.relay.address)
        try denied.send(Array("PROXY TCP4 203.0.113.7 198.51.100.9 4711 443\r\n".utf8))
        #expect(throws: TestClient.CallFailed.self) { try denied.receiveToEnd() }
        #expect(stage.relay.count("access_denied") == 1)
        _ = stage.relay.stop()
    }

    /// Another upstream is told the same, where the first cannot be reached.
    @Test(arguments: Interface.allCases)
    func aRetryLosesNothing(_ interface: Interface) throws {
        let dead = try TestListener().address
        let listener = try TestListener()
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(setting, to: [(dead, ""), (listener.address, ",backup")]) {
            relay,
            _ in
            relay.proxyFrom = [ProxyProtocolTests.loopback]
            relay.proxyTo = .v1
        }
        let client = try TestClient(relay.address)
        let payload = randomBytes(20_000, seed: 24)
        try client.send(ProxyProtocolTests.line + payload)
        client.finish()
        let upstream = try listener.accept()
        #expect(try header(upstream)?.ends == ProxyProtocolTests.told.ends)
        #expect(try upstream.receiveToEnd() == payload)
        #expect(relay.count("connect_retries") == 1)
        _ = relay.stop()
    }
}
