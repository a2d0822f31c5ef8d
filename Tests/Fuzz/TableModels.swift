// Token, ConnectionTable, SlotQueue and TimerWheel against plain models of them.

import Net
import URing

@testable import Engine

func checkToken(_ choices: Choices) throws {
    var choices = choices
    let bits = choices.word()
    let token = Token(rawValue: bits)
    try demand(token.slot < Token.slotLimit, "a slot is below its limit")
    let again = Token(
        operation: token.operation,
        slot: token.slot,
        generation: token.generation
    )
    try demand(again == token && again.rawValue == bits, "a token has no bits but its parts")
}

func checkConnectionTable(_ choices: Choices) throws {
    struct Entry {
        var descriptor: Int32?
        var generation: UInt32
    }
    var choices = choices
    let capacity = 1 + choices.below(16)
    var table = try ConnectionTable(capacity: capacity)
    var model: [Entry?] = Array(repeating: nil, count: capacity)
    var number: Int32 = 0
    while choices.areLeft {
        let isOpen = model.map { $0?.descriptor != nil }
        switch choices.below(4) {
        case 0, 1:
            number += 1
            let slot = table.insert(Descriptor(rawValue: number), isAccepted: true)
            try demand((slot == nil) == !isOpen.contains(false), "a slot is had where one is free")
            guard let slot = slot.map(Int.init) else { continue }
            try demand(slot < capacity && !isOpen[slot], "the slot was free")
            model[slot] = Entry(descriptor: number, generation: model[slot]?.generation ?? 0)
        case 2:
            let slot = choices.below(capacity)
            guard isOpen[slot], let entry = model[slot] else { continue }
            table.remove(UInt32(slot))
            model[slot] = Entry(descriptor: nil, generation: entry.generation &+ 1)
        default:
            let slot = UInt32(truncatingIfNeeded: choices.word())
            let generation = UInt32(choices.below(4))
            let entry = slot < UInt32(capacity) ? model[Int(slot)] : nil
            try demand(
                table.isCurrent(slot: slot, generation: generation)
                    == (entry?.descriptor != nil && entry?.generation == generation),
                "an owner is told from a former one"
            )
        }
        let count = model.count { $0?.descriptor != nil }
        try demand(table.count == count && table.room == capacity - count, "it counts")
        for (slot, entry) in model.enumerated() {
            guard let entry, let descriptor = entry.descriptor else { continue }
            let slot = UInt32(slot)
            try demand(table[slot].descriptor.rawValue == descriptor, "each keeps its descriptor")
            try demand(table.id(of: slot).generation == entry.generation, "and its generation")
            try demand(table.isCurrent(slot: slot, generation: entry.generation), "and is current")
        }
    }
}

func checkSlotQueue(_ choices: Choices) throws {
    var choices = choices
    let capacity = 1 + choices.below(32)
    var queue = try SlotQueue(capacity: capacity)
    var model: [UInt32] = []
    while choices.areLeft {
        if choices.below(2) == 0 {
            let slot = UInt32(choices.below(capacity))
            queue.append(slot)
            if !model.contains(slot) { model.append(slot) }
        } else {
            let slot = queue.popFirst()
            try demand(slot == model.first, "who came first goes first")
            if !model.isEmpty { model.removeFirst() }
        }
        try demand(queue.count == model.count, "it counts")
        try demand(queue.isEmpty == model.isEmpty, "it knows its end")
    }
}

func checkTimerWheel(_ choices: Choices) throws {
    let tick: UInt64 = 1 << 24
    // What lies beyond comes out early, to be looked at and put back.
    let horizon = 4094 * tick
    var choices = choices
    let capacity = 1 + choices.below(32)
    // The clock of a machine that has been up for long, and any number as a wait.
    var now = choices.word() >> 2
    var wheel = try TimerWheel(capacity: capacity, now: now)
    var model: [UInt32: (moment: UInt64, setAt: UInt64)] = [:]
    while choices.areLeft {
        let operation = choices.below(4)
        let slot = UInt32(choices.below(capacity))
        switch operation {
        case 0, 1:
            let moment = now + choices.word() >> (1 + UInt64(choices.below(63)))
            wheel.set(slot, at: moment)
            model[slot] = (moment, now)
        case 2:
            wheel.remove(slot)
            model[slot] = nil
        default:
            now += choices.word() >> (8 + UInt64(choices.below(56)))
            let earliest = wheel.earliest
            while let due = wheel.popDue(now: now) {
                let entry = model.removeValue(forKey: due)
                try demand(entry != nil, "who comes due was set")
                try demand((earliest ?? .max) <= now, "the earliest is told")
                guard let entry else { continue }
                try demand(
                    entry.moment <= now || now - entry.setAt >= horizon,
                    "nobody comes due early"
                )
            }
            let isLate = model.values.contains { $0.moment + 2 * tick < now }
            try demand(!isLate, "nobody comes due late")
        }
        guard let first = model.values.map(\.moment).min() else { continue }
        try demand((wheel.earliest ?? .max) <= first + 2 * tick, "the wait ends in time")
    }
}
