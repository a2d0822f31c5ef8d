// The connection table, the queues of slots, the deadlines and the limits.

import Net
import Testing

@testable import Engine

struct ConnectionTableTests {
    @Test func aSlotChangesItsGenerationWithItsOwner() throws {
        var table = try ConnectionTable(capacity: 2)
        let slot = table.insert(Descriptor(rawValue: 5), isAccepted: true)!
        let generation = table[slot].generation
        expect(table.isCurrent(slot: slot, generation: generation))
        table.remove(slot)
        expect(!table.isCurrent(slot: slot, generation: generation))
        let again = table.insert(Descriptor(rawValue: 6), isAccepted: true)!
        #expect(again == slot)
        expect(table[again].generation == generation &+ 1)
        expect(!table.isCurrent(slot: slot, generation: generation))
        expect(!table.isCurrent(slot: 1_000_000, generation: 0))
    }

    @Test func isFullAtItsCapacity() throws {
        var table = try ConnectionTable(capacity: 3)
        for number in Int32(0)..<3 {
            expect(table.insert(Descriptor(rawValue: number), isAccepted: true) != nil)
        }
        expect(table.insert(Descriptor(rawValue: 9), isAccepted: true) == nil)
        expect(table.room == 0)
        table.remove(1)
        expect(table.insert(Descriptor(rawValue: 9), isAccepted: true) == 1)
    }

    /// A client that was accepted has a place for its upstream, also before that is made.
    @Test func keepsAPlaceForWhatIsMadeForAClient() throws {
        var table = try ConnectionTable(capacity: 5)
        expect(table.room(slotsEach: 1) == 5)
        expect(table.room(slotsEach: 2) == 2)
        _ = table.insert(Descriptor(rawValue: 1), isAccepted: true)
        expect(table.room(slotsEach: 2) == 1)
        let second = table.insert(Descriptor(rawValue: 2), isAccepted: true)!
        expect(table.room(slotsEach: 2) == 0)
        _ = table.insert(Descriptor(rawValue: 3), isAccepted: false)
        _ = table.insert(Descriptor(rawValue: 4), isAccepted: false)
        expect(table.room(slotsEach: 2) == 0)
        // Its upstream connection is still there.
        table.remove(second)
        expect(table.room(slotsEach: 2) == 1)
    }
}

struct SlotQueueTests {
    @Test func keepsItsOrderAndTakesASlotOnce() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var queue = try SlotQueue(capacity: 16)
        var model: [UInt32] = []
        for _ in 0..<5000 {
            if Bool.random(using: &random) {
                let slot = UInt32.random(in: 0..<16, using: &random)
                queue.append(slot)
                if !model.contains(slot) { model.append(slot) }
            } else {
                expect(queue.popFirst() == model.first, "seed \(seed)")
                if !model.isEmpty { model.removeFirst() }
            }
            expect(queue.isEmpty == model.isEmpty, "seed \(seed)")
        }
    }
}

struct DeadlinesTests {
    @Test func theEarliestComesFirst() {
        var deadlines = Deadlines()
        #expect(deadlines.next == nil)
        deadlines.set(.handlerWake, at: 20)
        deadlines.set(.acceptRetry, at: 10)
        #expect(deadlines.next == 10)
        #expect(deadlines.popDue(now: 9) == nil)
        #expect(deadlines.popDue(now: 10) == .acceptRetry)
        #expect(deadlines.popDue(now: 10) == nil)
        #expect(deadlines.isSet(.handlerWake))
        deadlines.clear(.handlerWake)
        #expect(deadlines.next == nil)
    }
}

struct LimitsTests {
    @Test func refusesWhatCannotWork() {
        #expect(Limits().problem == nil)
        for (change, isRefused): ((inout Limits) -> Void, Bool) in [
            ({ $0.bufferCount = 3 }, true), ({ $0.bufferCount = 1 }, true),
            ({ $0.bufferCount = 65536 }, true), ({ $0.bufferCount = 2 }, false),
            ({ $0.bufferBytes = 0 }, true), ({ $0.bufferBytes = 1 }, false),
            ({ $0.connectionsMax = 0 }, true), ({ $0.connectionsMax = 1 << 24 }, true),
            ({ $0.pendingBytesMax = 0 }, true), ({ $0.pendingBytesMax = 1 << 30 }, false),
            ({ $0.pendingBytesMax = 5 << 30 }, true),
        ] {
            var limits = Limits()
            change(&limits)
            #expect((limits.problem != nil) == isRefused)
        }
    }

    @Test func completionsCoverABurstOnEveryConnection() {
        #expect(Limits(connectionsMax: 1).completionEntries == 4096)
        #expect(Limits(connectionsMax: 10_000).completionEntries == 32768)
        #expect(Limits(connectionsMax: 1_000_000).completionEntries == 65536)
    }
}
