// Handover: one group of workers goes on with the listeners of another. Nobody is refused or cut
// meanwhile, and the first group's connections stay with it until they end.

import Engine
import Net
import Services
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct HandoverTests {
    /// A change of settings: the backends and workers before and after.
    struct Change: CustomTestStringConvertible, Sendable {
        let before: (backend: Backend, workers: Int)
        let after: (backend: Backend, workers: Int)

        var testDescription: String { "\(before) to \(after)" }

        static let all = [
            Change(before: (.uring, 1), after: (.uring, 1)),
            Change(before: (.uring, 1), after: (.epoll, 3)),
            Change(before: (.epoll, 3), after: (.uring, 1)),
            Change(before: (.epoll, 2), after: (.epoll, 2)),
        ]
    }

    private func plan(
        _ side: (backend: Backend, workers: Int),
        _ address: SocketAddress
    ) -> GroupPlan {
        var plan = GroupPlan(backend: side.backend, limits: Limits(connectionsMax: 300))
        plan.workerCount = side.workers
        plan.listeners = [ListenOptions(address: address)]
        return plan
    }

    private func echoes(_ client: TestClient, _ byte: UInt8) throws -> Bool {
        try client.send([byte])
        return try client.receive(exactly: 1) == [byte]
    }

    private func waitUntilEnded(_ group: WorkerGroup) -> Bool {
        let deadline = Clock.monotonicNanoseconds() + 5 * .nanosecondsPerSecond
        while !group.hasEnded, Clock.monotonicNanoseconds() < deadline {
            Clock.sleep(nanoseconds: .nanosecondsPerMillisecond)
        }
        return group.hasEnded
    }

    @Test(arguments: Change.all)
    func nobodyIsRefusedOrCut(_ change: Change) throws {
        let anyPort = try SocketAddress(parsing: "127.0.0.1:0")
        let first = try WorkerGroup(plan(change.before, anyPort)) { _ in EchoService() }
        let address = first.addresses[0]
        let old = try (0..<20).map { _ in try TestClient(address) }
        for client in old { #expect(try echoes(client, 1)) }

        // Somebody connects all the time, and asks a byte of each connection.
        let served = Tally()
        let failed = Tally()
        let visitors = try Repeating {
            do {
                let client = try TestClient(address, timeoutSeconds: 2)
                try client.send([9])
                guard try client.receive(exactly: 1) == [9] else { return failed.count() }
                client.finish()
                _ = try client.receiveToEnd()
                served.count()
            } catch {
                failed.count()
            }
        }
        var next = plan(change.after, anyPort)
        next.inherited = first.duplicateListeners(on: [anyPort])
        let second = try WorkerGroup(next) { _ in EchoService() }
        #expect(second.addresses == first.addresses)
        first.requestRetirement()
        Clock.sleep(nanoseconds: 300 * .nanosecondsPerMillisecond)
        visitors.stop()
        #expect(failed.total == 0)
        #expect(served.total > 0)

        // The first group's connections are its own until they end; then it does.
        let new = try (0..<20).map { _ in try TestClient(address) }
        for client in new + old { #expect(try echoes(client, 2)) }
        let standing = first.snapshots(withinNanoseconds: .nanosecondsPerSecond)
            .reduce(0) { $0 + $1.connections }
        #expect(standing == 20)
        #expect(!first.hasEnded)
        for client in old {
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        #expect(waitUntilEnded(first))
        let counters = first.join().reduce(into: Counters()) { $0.add($1) }
        #expect(counters.accepted == counters.closed)
        #expect(counters.terminations[.peerFinished, undelivered: false] == counters.closed)
        let last = second.snapshots(withinNanoseconds: .nanosecondsPerSecond)
        #expect(last.reduce(0) { $0 + $1.connections } == 20)
        for client in new { client.finish() }
        second.stop()
    }

    /// Who waits in the queue of a listener that nobody takes over is taken in before it closes.
    @Test(arguments: Backend.allCases)
    func retiringAloneTakesInWhoWaits(_ backend: Backend) throws {
        let anyPort = try SocketAddress(parsing: "127.0.0.1:0")
        let group = try WorkerGroup(plan((backend, 1), anyPort)) { _ in EchoService() }
        let clients = try (0..<50).map { _ in try TestClient(group.addresses[0]) }
        group.requestRetirement()
        for client in clients {
            #expect(try echoes(client, 3))
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        #expect(waitUntilEnded(group))
        #expect(throws: (any Error).self) { try TestClient(group.addresses[0]) }
        _ = group.join()
    }

    /// A group that retires can still be stopped, which its connections notice.
    @Test(arguments: Backend.allCases)
    func aRetiringGroupStops(_ backend: Backend) throws {
        let anyPort = try SocketAddress(parsing: "127.0.0.1:0")
        let group = try WorkerGroup(plan((backend, 1), anyPort)) { _ in EchoService() }
        let client = try TestClient(group.addresses[0])
        #expect(try echoes(client, 4))
        group.requestRetirement()
        #expect(try echoes(client, 5))
        group.requestStop()
        #expect(try client.receiveToEnd() == [], "FIN, not RST")
        client.finish()
        let counters = group.join().reduce(into: Counters()) { $0.add($1) }
        #expect(counters.terminations.summary == "drain=1")
    }

    /// A group that does not start leaves the sockets that it was given to those that have them.
    @Test func whoCannotStartTakesNothing() throws {
        let anyPort = try SocketAddress(parsing: "127.0.0.1:0")
        let first = try WorkerGroup(plan((.epoll, 1), anyPort)) { _ in EchoService() }
        let taken = try WorkerGroup(plan((.epoll, 1), anyPort)) { _ in EchoService() }
        defer { taken.stop() }
        let between = OpenDescriptors.count
        var next = plan((.epoll, 2), anyPort)
        next.listeners.append(ListenOptions(address: taken.addresses[0]))
        next.inherited = first.duplicateListeners(on: [anyPort])
        #expect(throws: StartFailure.self) { try WorkerGroup(next) { _ in EchoService() } }
        #expect(OpenDescriptors.count == between)
        let client = try TestClient(first.addresses[0])
        #expect(try echoes(client, 6))
        client.finish()
        first.stop()
    }
}

/// The descriptors of this process.
private enum OpenDescriptors {
    static var count: Int {
        (0..<1024).count { isOpen(Int32($0)) }
    }

    private static func isOpen(_ number: Int32) -> Bool {
        guard let copy = try? Descriptor(rawValue: number).duplicate() else { return false }
        copy.close()
        return true
    }
}
