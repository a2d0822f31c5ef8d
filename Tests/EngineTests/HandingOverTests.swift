// Handing over: established connections go from one group of workers to another as they do between
// processes, through a channel. Their peers notice nothing: each byte is echoed once and in order,
// by the one group or the other.

import Engine
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct HandingOverTests {
    private func echoes(_ client: TestClient, _ byte: UInt8) throws -> Bool {
        try client.send([byte, byte &+ 1])
        return try client.receive(exactly: 2) == [byte, byte &+ 1]
    }

    /// Idle connections go, all of them, and what is sent meanwhile goes along.
    @Test(arguments: Change.all)
    func idleOnesGo(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 600)
        try two.handOver()
        // Some speak while they go.
        for client in two.clients.prefix(100) { try client.send([7]) }
        let old = try two.firstEnds()
        #expect(old.accepted == 600)
        #expect(old.closed == 600)
        #expect(old.terminations[.handedOver, undelivered: false] == 600)
        #expect(two.connections(of: two.second) == 600)
        for client in two.clients.prefix(100) { #expect(try client.receive(exactly: 1) == [7]) }
        for client in two.clients { #expect(try echoes(client, 2)) }
        let new = two.counters(of: two.second)
        #expect(new.inherited == 600)
        #expect(new.accepted == 0)
        for client in two.clients {
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        try two.wait { two.connections(of: two.second) == 0 }
        #expect(two.counters(of: two.second).closed == 600)
        #expect(two.counters(of: two.second).terminations.summary == "client_fin=600")
    }

    /// Streams that never pause come to rest all the same, through buffers and through pipes.
    @Test(arguments: Change.all)
    func streamsGo(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 8)
        var streams = two.clients.enumerated().map { Stream($1, seed: UInt64($0)) }
        func pass(_ megabytes: Int) throws {
            let goal = streams.map { $0.received + megabytes << 20 }
            while zip(streams, goal).contains(where: { $0.received < $1 }) {
                for index in streams.indices { try streams[index].step() }
            }
        }
        try pass(2)
        try two.handOver()
        let deadline = Clock.monotonicNanoseconds() + 10 * .nanosecondsPerSecond
        while !two.first.hasEnded, Clock.monotonicNanoseconds() < deadline { try pass(1) }
        let old = try two.firstEnds()
        #expect(old.terminations.summary == "handed_over=8")
        #expect(old.bytesReceived == old.bytesSent)
        #expect(old.bytesBypassed > 0)
        try pass(2)
        #expect(two.counters(of: two.second).inherited == 8)
    }

    /// A client that sends and checks what comes back, without waiting for either.
    private struct Stream {
        let client: TestClient
        let bytes: [UInt8]
        var sent = 0
        var received = 0

        init(_ client: TestClient, seed: UInt64) {
            self.client = client
            bytes = randomBytes(1 << 20 - 7, seed: seed)
        }

        mutating func step() throws {
            let place = sent % bytes.count
            sent += try client.sendAvailable(bytes[place...].prefix(1 << 18))
            guard let part = try client.receiveAvailable() else { return }
            try #require(!part.isEmpty, "the stream has ended")
            var rest = part[...]
            while !rest.isEmpty {
                let expected = bytes[(received % bytes.count)...].prefix(rest.count)
                try #require(rest.starts(with: expected), "bytes behind \(received) are others")
                received += expected.count
                rest = rest.dropFirst(expected.count)
            }
        }
    }

    /// Whoever does not read keeps the old process waiting for a while, then stays; whoever begins
    /// to read goes.
    @Test(arguments: Change.alone)
    func slowReadersGoWhenTheyRead(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 2)
        let clog = [UInt8](repeating: 5, count: 1 << 20)
        var sent = [0, 0]
        for (index, client) in two.clients.enumerated() {
            var quiet = 0
            while quiet < 20 {
                let count = try client.sendAvailable(clog[...])
                sent[index] += count
                quiet = count == 0 ? quiet + 1 : 0
                if count == 0 { Clock.sleep(nanoseconds: 5 * .nanosecondsPerMillisecond) }
            }
        }
        try two.handOver(seconds: 2)
        Clock.sleep(nanoseconds: 200 * .nanosecondsPerMillisecond)
        #expect(two.giver?.handedOver == 0)
        // One reads within the time, the other not.
        #expect(try two.clients[0].receive(exactly: sent[0]).count == sent[0])
        try two.wait { two.giver?.isDone == true }
        #expect(two.giver?.handedOver == 1)
        #expect(two.connections(of: two.first) == 1)
        #expect(try two.clients[1].receive(exactly: sent[1]).count == sent[1])
        for client in two.clients { #expect(try echoes(client, 6)) }
        #expect(two.connections(of: two.first) == 1)
        two.clients[1].finish()
        #expect(try two.clients[1].receiveToEnd() == [])
        #expect(try two.firstEnds().terminations.summary == "client_fin=1 handed_over=1")
    }

    /// Whoever has sent FIN is answered where he was.
    @Test(arguments: Change.alone)
    func halfClosedOnesStay(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 1)
        let client = two.clients[0]
        var sent = 0
        var quiet = 0
        while quiet < 20 {
            let count = try client.sendAvailable([UInt8](repeating: 8, count: 65536)[...])
            sent += count
            quiet = count == 0 ? quiet + 1 : 0
            if count == 0 { Clock.sleep(nanoseconds: 5 * .nanosecondsPerMillisecond) }
        }
        client.finish()
        try two.handOver()
        #expect(try client.receiveToEnd() == [UInt8](repeating: 8, count: sent))
        let old = try two.firstEnds()
        // Its FIN lay behind all the bytes: it may have come to rest before it was seen.
        let new = two.counters(of: two.second)
        #expect(old.terminations[.peerFinished, undelivered: false] + new.inherited == 1)
        #expect(old.bytesDropped + new.bytesDropped == 0)
    }

    /// A successor with little room takes what fits; the rest is served where it was.
    @Test(arguments: Change.alone + [Change(.epoll, 3, .uring, 1), Change(.uring, 3, .epoll, 1)])
    func aFullOneTakesWhatFits(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 300, connectionsMax: 100)
        try two.handOver()
        try two.wait { two.giver?.isDone == true }
        // For each listener a place is for an accept that may be under way.
        let taken = 100 - change.before.workers
        #expect(two.giver?.handedOver == taken)
        // Those of the last offer that were not taken go back to being served.
        try two.wait { two.connections(of: two.first) == 300 - taken }
        #expect(two.connections(of: two.second) == taken)
        for client in two.clients { #expect(try echoes(client, 3)) }
        guard change.before.workers == 1 else { return }
        // The last place is for somebody new, and the next one waits for it.
        let new = try TestClient(two.address)
        #expect(try echoes(new, 4))
        let late = try TestClient(two.address)
        try late.send([1])
        #expect(try !late.isReadable(withinMilliseconds: 50))
        new.finish()
        #expect(try new.receiveToEnd() == [])
        #expect(try late.receive(exactly: 1) == [1])
    }

    /// Connections that stand are never too many for their address, but count.
    @Test(arguments: Change.alone)
    func theyCountForTheirAddress(_ change: Change) throws {
        let two = try TwoGroups(
            change,
            clients: 5,
            after: { plan in
                plan.policy.connectionsPerAddress = 3
            }
        )
        try two.handOver()
        _ = try two.firstEnds()
        for client in two.clients { #expect(try echoes(client, 3)) }
        // Five stand, four, three; with the third gone there is room for one.
        for client in two.clients.prefix(3) {
            #expect(try TestClient(two.address).isReset(withinMilliseconds: 2000))
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        #expect(try echoes(TestClient(two.address), 4))
    }

    /// A service of another kind gets nothing.
    @Test func onlyToTheSameKind() throws {
        let two = try TwoGroups(Change.alone[1], clients: 3)
        try two.handOver(to: "relay")
        try two.wait { two.giver?.isDone == true }
        #expect(two.giver?.handedOver == 0)
        for client in two.clients { #expect(try echoes(client, 3)) }
        #expect(two.connections(of: two.first) == 3)
        two.first.requestRetirement()
    }
}
