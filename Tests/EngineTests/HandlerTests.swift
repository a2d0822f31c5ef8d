// What handlers can ask of the engine beside an echo: forwarding, producing, pausing, finishing,
// aborting, waking, connecting.

import Engine
import Glibc
import Net
import Support
import Synchronization
import Testing

/// Forwards between the two clients of a pair: the first with the second, the third with the
/// fourth.
private struct Crossover: Handler, ~Copyable {
    var partners: [ConnectionID: ConnectionID] = [:]
    var waiting: ConnectionID?

    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects) {
        if let first = waiting {
            partners[first] = connection
            partners[connection] = first
            waiting = nil
            effects.resume(first)
        } else {
            waiting = connection
            effects.pause(connection)
        }
    }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        partners[connection].map { .forward(to: $0) } ?? .abort
    }

    mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        if let partner = partners[connection] { effects.finish(partner) }
    }
}

/// Sends `count` bytes of a fixed pattern to whoever connects, then FIN; ends a connection that
/// says X.
private struct Generator: Handler, ~Copyable {
    let count: Int
    var sent: [ConnectionID: Int] = [:]

    init(count: Int) { self.count = count }

    var production: Production { .most }

    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects) {
        effects.produce(on: connection)
    }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        bytes.unsafeLoad(as: UInt8.self) == UInt8(ascii: "X") ? .abort : .consume
    }

    mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        let done = sent[connection, default: 0]
        let part = min(bytes.byteCount, count - done)
        for index in 0..<part {
            let value = UInt8(truncatingIfNeeded: (done + index) % 251)
            bytes.storeBytes(of: value, toByteOffset: index, as: UInt8.self)
        }
        sent[connection] = done + part
        if part < bytes.byteCount { effects.finish(connection) }
        return part
    }
}

/// Connects to a target, says what came of it, and stops.
private struct Caller: Handler, ~Copyable {
    let outcome: @Sendable (String) -> Void

    mutating func started(_ effects: inout Effects) { effects.connect(to: 0, tag: 77) }

    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects) {
        outcome("opened \(tag)")
        effects.wake(at: effects.now + 5_000_000)
    }

    mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects) {
        outcome("failed \(tag): \(error)")
        effects.stop()
    }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict { .consume }

    mutating func woke(_ effects: inout Effects) {
        outcome("woke")
        effects.stop()
    }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct HandlerTests {
    @Test(arguments: Setting.all)
    func forwardsBothWaysWithBackPressure(_ setting: Setting) throws {
        var limits = Limits(connectionsMax: 16)
        setting.pool.apply(to: &limits)
        let server = try EchoServer(setting.backend, limits: limits) { _ in Crossover() }
        let left = try TestClient(server.address)
        let right = try TestClient(server.address)
        let forth = randomBytes(4 << 20, seed: 1)
        let back = randomBytes(100_000, seed: 2)
        let sender = try Thread(name: "sender") {
            try? left.send(forth)
            left.finish()
        }
        let answerer = try Thread(name: "answerer") { try? right.send(back) }
        #expect(try right.receiveToEnd() == forth)
        sender.join()
        answerer.join()
        right.finish()
        #expect(try left.receiveToEnd() == back)
        let counters = server.stop()
        #expect(counters.bytesReceived == counters.bytesSent)
    }

    @Test(arguments: Setting.all)
    func producesUntilThereIsNoMore(_ setting: Setting) throws {
        var limits = Limits(connectionsMax: 16)
        setting.pool.apply(to: &limits)
        let count = 2_000_003
        let server = try EchoServer(setting.backend, limits: limits) { _ in
            Generator(count: count)
        }
        defer { _ = server.stop() }
        let clients = try (0..<3).map { _ in try TestClient(server.address) }
        let expected = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 251) }
        for client in clients {
            #expect(try client.receiveToEnd() == expected)
            client.finish()
        }
    }

    @Test(arguments: Backend.allCases)
    func abortsWithAReset(_ backend: Backend) throws {
        let limits = Limits(connectionsMax: 16)
        let server = try EchoServer(backend, limits: limits) { _ in Generator(count: 0) }
        defer { _ = server.stop() }
        let client = try TestClient(server.address)
        #expect(try client.receiveToEnd() == [])
        try client.send([UInt8(ascii: "X")])
        // The reset shows at one of the next sends.
        #expect(throws: TestClient.CallFailed.self) {
            for _ in 0..<2000 {
                try client.send([UInt8(ascii: "X")])
                usleep(1000)
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func connectsAndWakes(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        defer { _ = server.stop() }
        #expect(try call(server.address, backend) == ["opened 77", "woke"])
    }

    @Test(arguments: Backend.allCases)
    func saysWhyAConnectFails(_ backend: Backend) throws {
        let gone = try EchoServer(backend)
        let address = gone.address
        _ = gone.stop()
        #expect(try call(address, backend) == ["failed 77: Connection refused"])
    }

    private func call(_ target: SocketAddress, _ backend: Backend) throws -> [String] {
        let said = Said()
        var plan = GroupPlan(backend: backend, limits: Limits(connectionsMax: 4))
        plan.targets = [Target(address: target)]
        let group = try WorkerGroup(plan) { _ in Caller { said.add($0) } }
        _ = group.join()
        return said.all
    }
}

private final class Said: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}
