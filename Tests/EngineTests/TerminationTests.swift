// How connections end: each way is brought about on real sockets, and has to be counted as itself,
// once.

import Engine
import Glibc
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct TerminationTests {
    private let second = UInt64.nanosecondsPerSecond

    /// Runs a case and returns how the server's connections ended.
    private func ends(
        _ interface: Interface,
        _ change: (inout ConnectionPolicy) -> Void = { _ in },
        adjust: (inout GroupPlan) -> Void = { _ in },
        _ body: (EchoServer) throws -> Void
    ) throws -> TerminationCounts {
        let server = try EchoServer(interface) { plan in
            change(&plan.policy)
            adjust(&plan)
        }
        let counters = try server.serve(body)
        #expect(counters.terminations.total == counters.closed + counters.refused)
        #expect(counters.accepted == counters.closed)
        return counters.terminations
    }

    /// What a client sees at the end of its connection: nothing more, or an error.
    private func lastError(_ client: TestClient) -> Int32? {
        do {
            _ = try client.receiveToEnd()
            return nil
        } catch let failure as TestClient.CallFailed {
            return failure.code
        } catch {
            return -1
        }
    }

    @Test(arguments: Interface.allCases)
    func clientFinishes(_ interface: Interface) throws {
        let ends = try ends(interface) { server in
            let client = try TestClient(server.address)
            try client.send([1, 2, 3])
            client.finish()
            #expect(try client.receiveToEnd() == [1, 2, 3])
        }
        #expect(ends.summary == "client_fin=1")
    }

    @Test(arguments: Interface.allCases)
    func clientResets(_ interface: Interface) throws {
        let ends = try ends(interface) { server in
            do {
                let client = try TestClient(server.address)
                try client.send([1])
                #expect(try client.receive(exactly: 1) == [1])
                client.resetOnClose()
            }
            usleep(50_000)
        }
        #expect(ends.summary == "client_rst=1")
    }

    /// An idle connection gets FIN; a client that answers with its own ends cleanly.
    @Test(arguments: Interface.allCases)
    func idleConnectionsGetFin(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.idleNanoseconds = second / 5 }) { server in
            let client = try TestClient(server.address)
            try client.send([1])
            #expect(try client.receive(exactly: 1) == [1])
            let start = Clock.monotonicNanoseconds()
            #expect(try client.receiveToEnd() == [], "FIN, not RST")
            let waited = Clock.monotonicNanoseconds() - start
            #expect(waited > second / 6 && waited < 2 * second)
        }
        #expect(ends.summary == "idle=1")
    }

    /// One that does not answer gets RST after the grace.
    @Test(arguments: Interface.allCases)
    func idleConnectionsThatStayGetReset(_ interface: Interface) throws {
        let ends = try ends(
            interface,
            {
                $0.idleNanoseconds = second / 5
                $0.graceNanoseconds = second / 5
            }
        ) { server in
            let client = try TestClient(server.address)
            #expect(try client.receiveToEnd() == [])
            usleep(500_000)
            #expect(throws: TestClient.CallFailed.self) {
                for _ in 0..<100 {
                    try client.send([1])
                    usleep(1000)
                }
            }
        }
        #expect(ends.summary == "idle=1")
    }

    @Test(arguments: Interface.allCases)
    func traffickingConnectionsAreNotIdle(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.idleNanoseconds = second / 5 }) { server in
            let client = try TestClient(server.address)
            for value in 0..<20 {
                try client.send([UInt8(value)])
                #expect(try client.receive(exactly: 1) == [UInt8(value)])
                usleep(40_000)
            }
            client.finish()
            _ = try client.receiveToEnd()
        }
        #expect(ends.summary == "client_fin=1")
    }

    /// Fills every buffer on the way to a client that does not read. The kernel lets each of four
    /// sockets' buffers grow to 32 MiB (tcp_rmem), if it is seldom that they do.
    private func flood(_ client: TestClient) throws -> Thread {
        try Thread(name: "flood") {
            let bytes = [UInt8](repeating: 7, count: 1 << 20)
            for _ in 0..<256 { guard (try? client.send(bytes)) != nil else { return } }
        }
    }

    @Test(arguments: Interface.allCases)
    func readersThatNeverReadAreCut(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.writeNanoseconds = second / 2 }) { server in
            let client = try TestClient(server.address)
            let flood = try flood(client)
            flood.join()
        }
        #expect(ends[.writeStall, undelivered: true] == 1)
        #expect(ends.total == 1)
    }

    /// A reader that is slow, but reads, is not stalled, however long one send takes.
    @Test(arguments: Interface.allCases)
    func readersThatReadSlowlyAreNotCut(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.writeNanoseconds = second / 2 }) { server in
            let client = try TestClient(server.address)
            let bytes = randomBytes(12 << 20, seed: 9)
            let sender = try Thread(name: "sender") {
                try? client.send(bytes)
                client.finish()
            }
            var received: [UInt8] = []
            for _ in 0..<10 {
                usleep(150_000)
                received += try client.receive(exactly: 200_000)
            }
            received += try client.receiveToEnd()
            sender.join()
            #expect(received == bytes)
        }
        #expect(ends.summary == "client_fin=1")
    }

    /// The client has finished, and does not take what the server still has for it: all of it,
    /// which pipes would not hold.
    @Test(arguments: Interface.allCases)
    func halfClosedConnectionsThatStallEnd(_ interface: Interface) throws {
        let ends = try ends(
            interface,
            {
                $0.halfCloseNanoseconds = second / 3
                $0.writeNanoseconds = 30 * second
            },
            adjust: {
                $0.limits.pendingBytesMax = 1 << 26
                $0.limits.pipeCount = 0
            }
        ) { server in
            let client = try TestClient(server.address, receiveBufferBytes: 4096)
            try client.send([UInt8](repeating: 7, count: 16 << 20))
            client.finish()
            usleep(1_000_000)
        }
        #expect(ends.summary == "half_close_idle/undelivered=1")
    }

    /// The client has finished, reads nothing of what comes back through a pipe, and resets: behind
    /// its FIN the kernel calls that EPIPE.
    @Test(arguments: [Interface.uring, .epoll])
    func aResetBehindFinIsTheClients(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.writeNanoseconds = 30 * second }) { server in
            let client = try TestClient(server.address, receiveBufferBytes: 4096)
            // More than a pipe holds, and no more than the sockets besides.
            try client.send([UInt8](repeating: 7, count: 6 << 20))
            client.finish()
            usleep(500_000)
            client.resetOnClose()
        }
        #expect(ends.summary == "client_rst/undelivered=1")
    }

    @Test(arguments: Interface.allCases)
    func aLimitForEachAddress(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.connectionsPerAddress = 2 }) { server in
            var clients = try (0..<2).map { _ in try TestClient(server.address) }
            for client in clients {
                try client.send([5])
                #expect(try client.receive(exactly: 1) == [5])
            }
            let third = try TestClient(server.address)
            #expect(lastError(third) == ECONNRESET)
            clients[0].finish()
            _ = try clients[0].receiveToEnd()
            clients.removeFirst()
            usleep(20_000)
            let again = try TestClient(server.address)
            try again.send([6])
            #expect(try again.receive(exactly: 1) == [6])
        }
        #expect(ends[.limit, undelivered: false] == 1)
    }

    /// A client that resets has left, too, though the kernel no longer knows its address.
    @Test(arguments: Interface.allCases)
    func resetsLeaveRoomForTheirAddress(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.connectionsPerAddress = 2 }) { server in
            for _ in 0..<6 {
                let client = try TestClient(server.address)
                try client.send([1])
                #expect(try client.receive(exactly: 1) == [1])
                client.resetOnClose()
                _ = consume client
                usleep(50_000)
            }
        }
        #expect(ends.summary == "client_rst=6")
    }

    @Test(arguments: Interface.allCases)
    func aRateOfAccepting(_ interface: Interface) throws {
        let start = Clock.monotonicNanoseconds()
        let ends = try ends(interface, { $0.acceptsPerSecond = 50 }) { server in
            for _ in 0..<30 {
                let client = try TestClient(server.address)
                try client.send([5])
                #expect(try client.receive(exactly: 1) == [5])
            }
        }
        // 30 at 50 a second, of which a tenth of a second's worth may come at once.
        #expect(Clock.monotonicNanoseconds() - start > second * 4 / 10)
        #expect(ends.total == 30)
    }

    /// A source that connects too often is refused, and no other with it.
    @Test(arguments: Interface.allCases)
    func aRateForEachAddress(_ interface: Interface) throws {
        let ends = try ends(interface, { $0.acceptsPerSecondPerAddress = 2 }) { server in
            let start = Clock.monotonicNanoseconds()
            var served: UInt64 = 0
            for _ in 0..<20 {
                let client = try TestClient(server.address)
                try? client.send([1])
                if (try? client.receive(exactly: 1)) == [1] { served += 1 }
            }
            let seconds = (Clock.monotonicNanoseconds() - start) / second + 1
            #expect(served >= 2)
            #expect(served <= 2 + 2 * seconds)
            let other = try TestClient(
                server.address,
                from: SocketAddress(parsing: "127.0.0.2:0")
            )
            try other.send([2])
            #expect(try other.receive(exactly: 1) == [2])
        }
        #expect(ends[.limit, undelivered: false] > 0)
        #expect(ends.total == 21)
    }

    /// The rate of accepting is that of all workers together, not of each.
    @Test(arguments: Interface.allCases)
    func aRateOfAcceptingOfAllWorkers(_ interface: Interface) throws {
        let start = Clock.monotonicNanoseconds()
        let ends = try ends(
            interface,
            { $0.acceptsPerSecond = 20 },
            adjust: { $0.workerCount = 4 }
        ) { server in
            let clients = try (0..<20).map { _ in try TestClient(server.address) }
            for client in clients {
                try client.send([5])
                #expect(try client.receive(exactly: 1) == [5])
            }
        }
        // 20 at 20 a second, of which 2 may come at once, and each worker may have one in hand.
        #expect(Clock.monotonicNanoseconds() - start > second * 6 / 10)
        #expect(ends.total == 20)
    }

    /// At a stop, idle clients see FIN, busy ones get all their bytes, and nobody sees RST.
    @Test(arguments: Interface.allCases)
    func aStopDrains(_ interface: Interface) throws {
        for round in 0..<20 {
            let server = try EchoServer(interface) {
                $0.policy.drainNanoseconds = 10 * second
            }
            let idle = try TestClient(server.address)
            try idle.send([1])
            #expect(try idle.receive(exactly: 1) == [1])
            let busy = try (0..<8).map { _ in try TestClient(server.address) }
            let bytes = randomBytes(300_000 + round * 1000, seed: UInt64(round))
            for client in busy { try client.send(Array(bytes.prefix(100_000))) }
            usleep(UInt32.random(in: 0..<3000))
            // All of it has arrived, or is on its way into the server's sockets.
            let stopping = try Thread(name: "stopper") { _ = server.stop() }
            for client in busy {
                #expect(try client.receive(exactly: 100_000) == Array(bytes.prefix(100_000)))
                #expect(lastError(client) == nil, "FIN, not RST")
                client.finish()
            }
            #expect(lastError(idle) == nil)
            idle.finish()
            stopping.join()
        }
    }

    /// What does not finish in time is cut, and counted as that.
    @Test(arguments: Interface.allCases)
    func aDrainIsBounded(_ interface: Interface) throws {
        let start = Clock.monotonicNanoseconds()
        let ends = try ends(interface, { $0.drainNanoseconds = second / 2 }) { server in
            let client = try TestClient(server.address)
            try client.send([1])
            #expect(try client.receive(exactly: 1) == [1])
            // It neither finishes nor goes away until the server has stopped.
            Keeper.kept.append(client)
        }
        Keeper.kept.removeAll()
        #expect(Clock.monotonicNanoseconds() - start < 5 * second)
        #expect(ends.summary == "drain=1")
    }

    @Test(arguments: Interface.allCases)
    func keepsRecords(_ interface: Interface) throws {
        var plan = GroupPlan(backend: .uring, limits: Limits(connectionsMax: 10))
        interface.apply(to: &plan)
        plan.listeners = [ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))]
        plan.recordsConnections = true
        let group = try WorkerGroup(plan) { _ in PlainEcho() }
        do {
            let client = try TestClient(group.addresses[0])
            try client.send([UInt8](repeating: 1, count: 1000))
            client.finish()
            #expect(try client.receiveToEnd().count == 1000)
        }
        group.stop()
        var records: [ConnectionRecord] = []
        group.takeRecords { records.append($0) }
        #expect(records.count == 1)
        let record = try #require(records.first)
        #expect(record.bytesReceived == 1000)
        #expect(record.bytesSent == 1000)
        #expect(record.end == ConnectionEnd(termination: .peerFinished, undeliveredBytes: 0))
        #expect(record.local == group.addresses[0])
        #expect(record.peer?.description.hasPrefix("127.0.0.1:") == true)
        #expect(record.closedAt >= record.openedAt)
        #expect(record.transmission != nil)
    }
}

/// Holds clients beyond the end of a case.
private enum Keeper {
    nonisolated(unsafe) static var kept: [TestClient] = []
}

private struct PlainEcho: Handler {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict { .echo }
}
