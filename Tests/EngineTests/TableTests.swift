// The connection table, the queues of slots, the deadlines and the limits.

import Net
import Testing

@testable import Engine

struct ConnectionTableTests {
    @Test func aSlotChangesItsGenerationWithItsOwner() throws {
        var table = try ConnectionTable(capacity: 2)
        let slot = table.insert(Descriptor(rawValue: 5))!
        let generation = table[slot].generation
        expect(table.isCurrent(slot: slot, generation: generation))
        table.remove(slot)
        expect(!table.isCurrent(slot: slot, generation: generation))
        let again = table.insert(Descriptor(rawValue: 6))!
        #expect(again == slot)
        expect(table[again].generation == generation &+ 1)
        expect(!table.isCurrent(slot: slot, generation: generation))
        expect(!table.isCurrent(slot: 1_000_000, generation: 0))
    }

    @Test func isFullAtItsCapacity() throws {
        var table = try ConnectionTable(capacity: 3)
        for number in Int32(0)..<3 { expect(table.insert(Descriptor(rawValue: number)) != nil) }
        expect(table.insert(Descriptor(rawValue: 9)) == nil)
        expect(table.room == 0)
        table.remove(1)
        expect(table.insert(Descriptor(rawValue: 9)) == 1)
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
