// TwoGroups: two groups of workers, the second of which goes on with the listeners of the first,
// and with its connections through a channel, as another process does.

import Engine
import Net
import Services
import Support
import Testing

/// Two groups, the second of which goes on with the listeners of the first.
final class TwoGroups {
    let first: WorkerGroup
    let second: WorkerGroup
    let address: SocketAddress
    private let channels: (DescriptorChannel, DescriptorChannel)
    private(set) var giver: ConnectionGiver?
    private(set) var taker: ConnectionTaker?
    private var hasStopped = false
    /// Connected while there was only the first group.
    private(set) var clients: [TestClient]

    init(
        _ change: Change,
        clients count: Int = 0,
        connectionsMax: Int = 2000,
        before adaptFirst: (inout GroupPlan) -> Void = { _ in },
        after adaptSecond: (inout GroupPlan) -> Void = { _ in }
    ) throws {
        let anyPort = try SocketAddress(parsing: "127.0.0.1:0")
        var before = change.before.plan(anyPort, connectionsMax: 3000)
        before.policy.drainNanoseconds = 2 * .nanosecondsPerSecond
        adaptFirst(&before)
        first = try WorkerGroup(before) { _ in EchoService() }
        let address = first.addresses[0]
        self.address = address
        clients = try (0..<count).map { _ in try TestClient(address) }
        // Connected is not yet accepted.
        for client in clients {
            try client.send([0])
            _ = try client.receive(exactly: 1)
        }
        var after = change.after.plan(anyPort, connectionsMax: connectionsMax)
        after.policy.drainNanoseconds = 2 * .nanosecondsPerSecond
        after.inherited = first.duplicateListeners(on: [anyPort])
        after.expectsConnections = true
        adaptSecond(&after)
        second = try WorkerGroup(after) { _ in EchoService() }
        channels = try DescriptorChannel.pair()
    }

    deinit {
        giver?.end()
        taker?.end()
        // A drain waits for their FIN.
        clients = []
        if !hasStopped { first.stop() }
        second.stop()
    }

    func handOver(seconds: UInt64 = 20, to kind: String = "echo") throws {
        try take(as: kind)
        try give(seconds: seconds)
    }

    func take(as kind: String = "echo") throws {
        let service = ConnectionService(kind: kind, groups: [second])
        taker = try ConnectionTaker([service], over: channels.1)
    }

    /// The channel's ends, for a test that plays one side itself.
    var giversEnd: DescriptorChannel { channels.0 }
    var takersEnd: DescriptorChannel { channels.1 }

    /// The last client goes away, with RST.
    func resetLastClient() { clients.removeLast().resetOnClose() }

    func give(seconds: UInt64 = 20) throws {
        let service = ConnectionService(
            kind: "echo",
            groups: [first],
            nanoseconds: seconds * .nanosecondsPerSecond
        )
        giver = try ConnectionGiver([service], over: channels.0)
    }

    func endGiving() {
        giver?.end()
        giver = nil
    }

    func counters(of group: WorkerGroup) -> Counters {
        group.snapshots(withinNanoseconds: .nanosecondsPerSecond)
            .reduce(into: Counters()) { $0.add($1.counters) }
    }

    func connections(of group: WorkerGroup) -> Int {
        group.snapshots(withinNanoseconds: .nanosecondsPerSecond)
            .reduce(0) { $0 + $1.connections }
    }

    /// Waits for the first group's end, and returns what it did.
    func firstEnds() throws -> Counters {
        try wait { first.hasEnded }
        hasStopped = true
        return first.join().reduce(into: Counters()) { $0.add($1) }
    }

    func wait(_ condition: () -> Bool) throws {
        let deadline = Clock.monotonicNanoseconds() + 10 * .nanosecondsPerSecond
        while !condition() {
            try #require(Clock.monotonicNanoseconds() < deadline)
            Clock.sleep(nanoseconds: .nanosecondsPerMillisecond)
        }
    }
}

/// Backends and workers of one side.
struct Side: Sendable {
    let backend: Backend
    let workers: Int

    func plan(_ address: SocketAddress, connectionsMax: Int) -> GroupPlan {
        var plan = GroupPlan(
            backend: backend,
            limits: Limits(connectionsMax: connectionsMax)
        )
        plan.limits.pipeCount = 4
        plan.workerCount = workers
        plan.listeners = [ListenOptions(address: address)]
        return plan
    }
}

struct Change: CustomTestStringConvertible, Sendable {
    let before: Side
    let after: Side

    init(_ before: Backend, _ one: Int, _ after: Backend, _ other: Int) {
        self.before = Side(backend: before, workers: one)
        self.after = Side(backend: after, workers: other)
    }

    var testDescription: String { "\(before) to \(after)" }

    static let all = [
        Change(.uring, 1, .uring, 1), Change(.epoll, 1, .epoll, 1),
        Change(.uring, 2, .epoll, 3), Change(.epoll, 3, .uring, 2),
    ]
    static let alone = [Change(.uring, 1, .uring, 1), Change(.epoll, 1, .epoll, 1)]
}
