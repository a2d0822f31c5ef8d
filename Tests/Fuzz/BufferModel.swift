// BufferPool and Outbox against a plain model of them: every buffer has the owner it should, and
// what leaves each outbox is what was queued, in order, however the sends are cut.

import Net
import URing

@testable import Engine

func checkOutbox(_ choices: Choices) throws {
    var choices = choices
    var limits = Limits(connectionsMax: 4)
    limits.bufferCount = 2 << choices.below(5)
    limits.bufferBytes = 1 + choices.below(64)
    var model = BufferModel(limits: limits, pool: try BufferPool(limits: limits))
    defer { model.pieces.deallocate() }
    while choices.areLeft {
        try model.step(&choices)
        try model.checkCounts()
    }
    try model.comeHome()
}

/// A pool with two outboxes, and what they should hold.
private struct BufferModel: ~Copyable {
    private struct Queue {
        var outbox = Outbox()
        /// What is queued, a piece for each buffer.
        var queued: [[UInt8]] = []
        /// How many of them the send in flight has.
        var sending = 0
    }

    let limits: Limits
    var pool: BufferPool
    let pieces = UnsafeMutablePointer<Piece>.allocate(capacity: Submission.pieceLimit)
    private var queues = [Queue(), Queue()]
    private var held: [BufferID] = []
    private var offered: [BufferID] = []
    private var nextByte: UInt8 = 0

    init(limits: Limits, pool: consuming BufferPool) {
        self.limits = limits
        self.pool = pool
    }

    mutating func step(_ choices: inout Choices) throws {
        let which = choices.below(2)
        switch choices.below(8) {
        case 0, 1: try take()
        case 2: try offer()
        case 3: try receive(choices.below(256), byteCount: choices.below(limits.bufferBytes + 1))
        case 4: queue(which, byteCount: 1 + choices.below(limits.bufferBytes))
        case 5: try send(which)
        case 6: try finish(which, share: choices.byte())
        default:
            if choices.below(4) == 0 { try discard(which) } else { releaseOne() }
        }
    }

    func checkCounts() throws {
        let queued = queues.reduce(0) { $0 + $1.queued.count }
        let free = limits.bufferCount - held.count - offered.count - queued
        try demand(pool.freeCount == free, "\(free) buffers are free")
        try demand(pool.kernelCount == offered.count, "\(offered.count) are the kernel's")
        for queue in queues {
            let byteCount = queue.queued.reduce(0) { $0 + $1.count }
            try demand(Int(queue.outbox.byteCount) == byteCount, "an outbox counts its bytes")
            try demand(queue.outbox.isEmpty == queue.queued.isEmpty, "an outbox knows its end")
        }
    }

    /// Ends what is under way, and asks for every buffer.
    mutating func comeHome() throws {
        while !offered.isEmpty { try receive(0, byteCount: 0) }
        for which in 0..<2 {
            try finish(which, share: 255)
            try discard(which)
        }
        while !held.isEmpty { releaseOne() }
        try demand(pool.freeCount == limits.bufferCount, "every buffer has come home")
        var all: Set<UInt16> = []
        while let buffer = pool.take() { all.insert(buffer.rawValue) }
        try demand(all.count == limits.bufferCount, "each buffer came home once")
    }

    private mutating func take() throws {
        let isFull = pool.freeCount == 0
        let buffer = pool.take()
        try demand((buffer == nil) == isFull, "a buffer is had where one is free")
        if let buffer { held.append(buffer) }
    }

    private mutating func offer() throws {
        let isFull = pool.freeCount == 0
        let buffer = pool.takeForKernel()
        try demand((buffer == nil) == isFull, "a buffer is had where one is free")
        if let buffer { offered.append(buffer) }
    }

    private mutating func receive(_ choice: Int, byteCount: Int) throws {
        guard !offered.isEmpty else { return }
        let given = offered.remove(at: choice % offered.count)
        let buffer = pool.received(given.rawValue, byteCount: byteCount)
        try demand(buffer == given, "the buffer that the kernel named is had")
        try demand(pool.bytes(of: buffer).count == byteCount, "it holds what was received")
        held.append(buffer)
    }

    private mutating func queue(_ which: Int, byteCount: Int) {
        guard let buffer = held.popLast() else { return }
        // A received buffer may hold less; its memory is made touchable before it is written.
        pool.fill(buffer, byteCount: byteCount)
        let start = pool.start(of: buffer)
        var content: [UInt8] = []
        for index in 0..<byteCount {
            nextByte &+= 1
            start.storeBytes(of: nextByte, toByteOffset: index, as: UInt8.self)
            content.append(nextByte)
        }
        pool.append(buffer, to: &queues[which].outbox)
        queues[which].queued.append(content)
    }

    private mutating func send(_ which: Int) throws {
        let queue = queues[which]
        guard queue.sending == 0, !queue.queued.isEmpty else { return }
        let count = pool.startSending(&queues[which].outbox, into: pieces)
        try demand(
            count == min(queue.queued.count, Submission.pieceLimit),
            "a send has what is queued, up to its limit"
        )
        for index in 0..<count {
            let piece = pieces[index]
            let bytes = UnsafeRawBufferPointer(start: piece.bytes, count: piece.byteCount)
            try demand(bytes.elementsEqual(queue.queued[index]), "what is sent was queued")
        }
        queues[which].sending = count
    }

    private mutating func finish(_ which: Int, share: UInt8) throws {
        let count = queues[which].sending
        guard count > 0 else { return }
        let offered = queues[which].queued.prefix(count).reduce(0) { $0 + $1.count }
        var rest = offered * Int(share) / 255
        let isShort = pool.finishSending(&queues[which].outbox, byteCount: rest)
        try demand(isShort == (rest < offered), "a short send is told")
        while rest > 0 {
            let taken = min(rest, queues[which].queued[0].count)
            queues[which].queued[0].removeFirst(taken)
            if queues[which].queued[0].isEmpty { queues[which].queued.removeFirst() }
            rest -= taken
        }
        queues[which].sending = 0
    }

    private mutating func discard(_ which: Int) throws {
        guard queues[which].sending == 0 else { return }
        let byteCount = queues[which].queued.reduce(0) { $0 + $1.count }
        let dropped = pool.discard(&queues[which].outbox)
        try demand(dropped == byteCount, "what is dropped is counted")
        queues[which].queued = []
    }

    private mutating func releaseOne() {
        if let buffer = held.popLast() { pool.release(buffer) }
    }
}
