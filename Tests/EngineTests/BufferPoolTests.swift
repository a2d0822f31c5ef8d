// The pool's rules of ownership and the outbox's arithmetic. A buffer that changes hands against
// the rules ends the process: that is what keeps one client's bytes from another.

import Net
import Testing
import URing

@testable import Engine

struct BufferPoolTests {
    static func makePool(_ count: Int = 8, bytes: Int = 64) throws -> BufferPool {
        var limits = Limits(connectionsMax: 4)
        limits.bufferCount = count
        limits.bufferBytes = bytes
        return try BufferPool(limits: limits)
    }

    @Test func aBufferMakesItsRound() throws {
        var pool = try BufferPoolTests.makePool()
        let given = pool.takeForKernel()!
        expect(pool.kernelCount == 1)
        let buffer = pool.received(given.rawValue, byteCount: 10)
        #expect(buffer == given)
        expect(pool.kernelCount == 0)
        pool.startSending(buffer)
        pool.takeBack(buffer)
        pool.release(buffer)
        expect(pool.freeCount == 8)
    }

    @Test func theHottestBufferComesFirst() throws {
        var pool = try BufferPoolTests.makePool()
        let first = pool.take()!
        _ = pool.take()
        pool.release(first)
        expect(pool.take() == first)
    }

    @Test func neighboursDoNotShareCacheSets() throws {
        let pool = try BufferPoolTests.makePool(4, bytes: 65536)
        let starts = (0..<4).map { Int(bitPattern: pool.start(of: BufferID(rawValue: $0))) }
        #expect(Set(starts.map { $0 % 4096 }).count == 4)
        #expect(starts.allSatisfy { $0 % 64 == 0 })
    }

    @Test func aBufferComesHomeOnce() async {
        await #expect(processExitsWith: .failure) {
            var pool = try BufferPoolTests.makePool()
            let buffer = pool.take()!
            pool.release(buffer)
            pool.release(buffer)
        }
    }

    @Test func aBufferThatIsBeingSentDoesNotComeHome() async {
        await #expect(processExitsWith: .failure) {
            var pool = try BufferPoolTests.makePool()
            let buffer = pool.take()!
            pool.startSending(buffer)
            pool.release(buffer)
        }
    }

    @Test func theKernelFillsOnlyWhatItWasGiven() async {
        await #expect(processExitsWith: .failure) {
            var pool = try BufferPoolTests.makePool()
            _ = pool.take()
            _ = pool.received(0, byteCount: 1)
        }
    }
}

struct OutboxTests {
    /// Sends are cut at random places; what leaves has to be what was queued, in order.
    @Test func sendsEverythingInOrderHoweverItIsCut() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var pool = try BufferPoolTests.makePool(32, bytes: 16)
        var outbox = Outbox()
        var queued: [UInt8] = []
        var sent: [UInt8] = []
        let pieces = UnsafeMutablePointer<Piece>.allocate(capacity: Submission.pieceLimit)
        defer { pieces.deallocate() }
        for _ in 0..<2000 {
            if Bool.random(using: &random), let buffer = pool.take() {
                let bytes = (0..<Int.random(in: 1...16, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                pool.start(of: buffer).copyMemory(from: bytes, byteCount: bytes.count)
                pool.fill(buffer, byteCount: bytes.count)
                pool.append(buffer, to: &outbox)
                queued += bytes
            } else if !outbox.isEmpty {
                let count = pool.startSending(&outbox, into: pieces)
                #expect(count >= 1 && count <= Submission.pieceLimit)
                let offered = (0..<count).flatMap {
                    Array(
                        UnsafeRawBufferPointer(
                            start: pieces[$0].bytes,
                            count: pieces[$0].byteCount
                        )
                    )
                }
                let taken = Int.random(in: 0...offered.count, using: &random)
                sent += offered.prefix(taken)
                let isShort = pool.finishSending(&outbox, byteCount: taken)
                #expect(isShort == (taken < offered.count))
            }
            expect(Int(outbox.byteCount) == queued.count - sent.count, "seed \(seed)")
        }
        #expect(sent == Array(queued.prefix(sent.count)), "seed \(seed)")
        expect(pool.discard(&outbox) == queued.count - sent.count)
        expect(pool.freeCount == 32, "seed \(seed)")
    }

    @Test func twoSendsAtOnceAreADefect() async {
        await #expect(processExitsWith: .failure) {
            var pool = try BufferPoolTests.makePool()
            var outbox = Outbox()
            let buffer = pool.take()!
            pool.fill(buffer, byteCount: 1)
            pool.append(buffer, to: &outbox)
            let pieces = UnsafeMutablePointer<Piece>.allocate(capacity: Submission.pieceLimit)
            _ = pool.startSending(&outbox, into: pieces)
            _ = pool.startSending(&outbox, into: pieces)
        }
    }
}

/// A generator that repeats itself for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

/// `#expect` for what is said of values that cannot be copied.
func expect(
    _ isSo: Bool,
    _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(isSo, comment, sourceLocation: sourceLocation)
}
