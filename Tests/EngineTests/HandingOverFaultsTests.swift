// Handing over to somebody who does not do his part: he is gone before his answer, behind it, or
// says nothing. No connection is ever served by two, nor by nobody.

import Engine
import Glibc
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct HandingOverFaultsTests {
    private func echoes(_ client: TestClient, _ byte: UInt8) throws -> Bool {
        try client.send([byte, byte &+ 1])
        return try client.receive(exactly: 2) == [byte, byte &+ 1]
    }

    /// Plays the other side until connections come, and returns them.
    private func connections(for two: TwoGroups) throws -> [Descriptor] {
        let question = try #require(two.takersEnd.receive())
        #expect(question.bytes.starts(with: [UInt8(ascii: "s"), 0] + Array("echo 127".utf8)))
        try two.takersEnd.send([1])
        let message = try #require(two.takersEnd.receive())
        #expect(message.bytes == [UInt8(ascii: "c"), 0, UInt8(message.descriptors.count)])
        return message.descriptors
    }

    private func close(_ descriptors: [Descriptor]) { for each in descriptors { each.close() } }

    /// Gone without an answer: everybody is served on where he was, also who spoke meanwhile.
    @Test(arguments: Change.alone)
    func goneBeforeTheAnswer(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 400)
        try two.give()
        let offered = try connections(for: two)
        // What one message carries; rings come to rest little by little.
        #expect(change.before.backend == .uring ? !offered.isEmpty : offered.count == 253)
        for client in two.clients { try client.send([4]) }
        // Nobody reads while they are on offer.
        let place = offered[0].peerAddress
        let client = try #require(two.clients.first { $0.localAddress == place })
        #expect(try !client.isReadable(withinMilliseconds: 30))
        close(offered)
        two.takersEnd.close()
        try two.wait { two.giver?.isDone == true }
        #expect(two.giver?.handedOver == 0)
        for client in two.clients {
            #expect(try client.receive(exactly: 1) == [4])
            #expect(try echoes(client, 5))
        }
        #expect(two.connections(of: two.first) == 400)
        #expect(two.counters(of: two.first).closed == 0)
    }

    /// Whoever broke, or fell silent for long, while on offer ends as ever when he comes back.
    @Test(arguments: Change.alone)
    func whatHappensWhileOnOfferIsNoticed(_ change: Change) throws {
        let two = try TwoGroups(
            change,
            clients: 3,
            before: { plan in
                plan.policy.idleNanoseconds = 50 * .nanosecondsPerMillisecond
            }
        )
        try two.give()
        let offered = try connections(for: two)
        #expect(offered.count == 3)
        two.resetLastClient()
        two.clients[1].finish()
        // Beyond the idle timeout: nobody may touch what another may have.
        #expect(try !two.clients[0].isReadable(withinMilliseconds: 150))
        close(offered)
        two.takersEnd.close()
        #expect(try two.clients[1].receiveToEnd() == [])
        #expect(try two.clients[0].receiveToEnd() == [])
        two.clients[0].finish()
        #expect(try two.firstEnds().terminations.summary == "client_fin=1 client_rst=1 idle=1")
    }

    /// An answer counts also where its giver is gone behind it: they were his.
    @Test(arguments: Change.alone)
    func goneBehindTheAnswer(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 10)
        try two.give()
        let offered = try connections(for: two)
        try #require(offered.count == 10)
        try two.takersEnd.send([1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
        two.takersEnd.close()
        try two.wait { two.giver?.isDone == true }
        #expect(two.giver?.handedOver == 6)
        try two.wait { two.connections(of: two.first) == 4 }
        // They end with their last holder and not before.
        #expect(try !two.clients[0].isReadable(withinMilliseconds: 30))
        let places = offered.map(\.peerAddress)
        for client in two.clients {
            let number = try #require(places.firstIndex(of: client.localAddress))
            offered[number].close()
            if number < 6 {
                #expect(try client.receiveToEnd() == [])
            } else {
                #expect(try echoes(client, 5))
            }
        }
    }

    /// A stop does not wait for an answer, and an answer that comes too late cannot be given.
    @Test(arguments: Change.alone)
    func silentOne(_ change: Change) throws {
        let two = try TwoGroups(change, clients: 10)
        try two.give()
        let offered = try connections(for: two)
        two.endGiving()
        #expect(throws: SystemError.self) {
            try two.takersEnd.send(offered.map { _ in 1 })
        }
        close(offered)
        two.takersEnd.close()
        for client in two.clients { #expect(try echoes(client, 5)) }
        #expect(two.connections(of: two.first) == 10)
    }

    /// A taker whose answer cannot be given serves nobody.
    @Test(arguments: Change.alone)
    func theGiverIsGoneBeforeTheAnswer(_ change: Change) throws {
        let two = try TwoGroups(change)
        try two.take()
        let channel = two.giversEnd
        let question = "s\0echo \(two.address)"
        try channel.send(Array(question.utf8))
        #expect(channel.receive()?.bytes == [1])
        // Any socket does.
        let (far, near) = try DescriptorChannel.pair()
        try far.send([1])
        shutdown(channel.descriptor.rawValue, Int32(SHUT_RD))
        try channel.send([UInt8(ascii: "c"), 0, 1], [near.descriptor])
        try two.wait { two.taker?.isDone == true }
        #expect(two.connections(of: two.second) == 0)
        #expect(two.counters(of: two.second).receives == 0)
        #expect(near.receive()?.bytes == [1])
        for each in [far, near, channel] { each.close() }
    }
}
