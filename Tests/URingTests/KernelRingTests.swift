// The ring of the running kernel: what URing promises about it. Skipped where io_uring is not to be
// had.

import Glibc
import Net
import Testing
import URing

struct Uring {
    static let isAvailable = (try? Capabilities.probe()) != nil
}

@Suite(.enabled(if: Uring.isAvailable))
struct KernelRingTests {
    private let group = BufferGroup(rawValue: 0)

    /// A connected pair of stream sockets, closed at the end.
    private final class Pair {
        let left: Descriptor
        let right: Descriptor

        init() {
            var numbers: [Int32] = [0, 0]
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers)
            left = Descriptor(rawValue: numbers[0])
            right = Descriptor(rawValue: numbers[1])
        }

        deinit {
            left.close()
            right.close()
        }
    }

    private func makeRing(
        _ submissions: Int = 8,
        _ completions: Int = 16,
        refusing flags: SetupFlags = []
    ) throws -> KernelRing {
        var options = KernelRing.Options(
            submissionEntries: submissions,
            completionEntries: completions
        )
        options.refusedFlags = flags
        return try KernelRing(options)
    }

    private func expectRoom(_ ring: borrowing KernelRing, _ expected: Int) {
        let room = ring.submissionRoom
        #expect(room == expected)
    }

    private func enter(_ ring: inout KernelRing, waitingFor count: Int) {
        let failure = ring.enter(waitingFor: count, forAtMost: 1_000_000_000)
        #expect(failure == nil)
    }

    private func token(_ number: UInt8) -> Token { Token(operation: number) }

    @Test(arguments: [
        SetupFlags(), .deferTaskrun, [.deferTaskrun, .singleIssuer],
        [.deferTaskrun, .singleIssuer, .cooperativeTaskrun],
        [.deferTaskrun, .singleIssuer, .cooperativeTaskrun, .submitAll],
    ])
    func stepsDownTheLadder(_ refused: SetupFlags) throws {
        var ring = try makeRing(refusing: refused)
        let flags = ring.setupFlags
        #expect(flags.isDisjoint(with: refused))
        let pair = Pair()
        let bytes: [UInt8] = [1, 2, 3]
        bytes.withUnsafeBytes {
            ring.submit(.send(pair.left, bytes: $0.baseAddress!, byteCount: 3), token: token(1))
            enter(&ring, waitingFor: 1)
        }
        let completion = ring.nextCompletion()
        #expect(completion == Completion(token: token(1), result: 3))
    }

    @Test func receivesIntoProvidedBuffersAndEndsWithoutThem() throws {
        var ring = try makeRing()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
        defer { memory.deallocate() }
        try ring.openGroup(group, entries: 2)
        ring.provide(ProvidedBuffer(id: 0, bytes: memory, byteCount: 4), to: group)
        ring.provide(ProvidedBuffer(id: 1, bytes: memory + 4, byteCount: 4), to: group)
        let pair = Pair()
        ring.submit(.receiveMultishot(pair.left, into: group), token: token(2))
        enter(&ring, waitingFor: 0)
        write(pair.right.rawValue, "abcdefghij", 10)
        enter(&ring, waitingFor: 3)
        let first = ring.nextCompletion()
        #expect(first == Completion(token: token(2), result: 4, bufferID: 0, hasMore: true))
        let second = ring.nextCompletion()
        #expect(second == Completion(token: token(2), result: 4, bufferID: 1, hasMore: true))
        // The third part finds no buffer: the receive ends, and nothing is lost.
        let third = ring.nextCompletion()
        #expect(third?.result == -Errno.noBufferSpace.rawValue)
        #expect(third?.hasMore == false)
        #expect(third?.bufferID == nil)
        #expect(memory.load(as: UInt32.self) == 0x6463_6261)
        ring.provide(ProvidedBuffer(id: 1, bytes: memory + 4, byteCount: 4), to: group)
        ring.submit(.receiveMultishot(pair.left, into: group), token: token(2))
        enter(&ring, waitingFor: 1)
        let answer1 = ring.nextCompletion()
        #expect(answer1?.result == 2)
    }

    @Test func sendsPiecesInOrder() throws {
        var ring = try makeRing()
        let pair = Pair()
        let bytes: [UInt8] = Array(0..<32)
        bytes.withUnsafeBytes { bytes in
            let pieces = (0..<16).map {
                Piece(bytes: bytes.baseAddress! + $0 * 2, byteCount: 2)
            }
            pieces.withUnsafeBufferPointer {
                ring.submit(.sendPieces(pair.left, $0), token: token(3))
            }
            enter(&ring, waitingFor: 1)
        }
        let answer2 = ring.nextCompletion()
        #expect(answer2?.result == 32)
        var received = [UInt8](repeating: 0, count: 64)
        #expect(read(pair.right.rawValue, &received, 64) == 32)
        #expect(Array(received.prefix(32)) == bytes)
    }

    @Test func cancelsWhatIsUnderWay() throws {
        var ring = try makeRing()
        let pair = Pair()
        ring.submit(.pollReadable(pair.left), token: token(4))
        enter(&ring, waitingFor: 0)
        ring.submit(.cancel(token(4)), token: token(5))
        enter(&ring, waitingFor: 1)
        let answer3 = ring.nextCompletion()
        #expect(answer3?.result == -Errno.canceled.rawValue)
        let answer4 = ring.nextCompletion()
        #expect(answer4 == nil, "a cancellation that worked says nothing")
        ring.submit(.cancel(token(4)), token: token(5))
        enter(&ring, waitingFor: 1)
        let answer5 = ring.nextCompletion()
        #expect(answer5?.token == token(5), "one that found nothing does")
    }

    @Test func aWaitEndsWithItsTime() throws {
        var ring = try makeRing()
        let start = ring.now()
        let failure = ring.enter(waitingFor: 1, forAtMost: 20_000_000)
        #expect(failure == nil)
        let waited = ring.now() - start
        #expect(waited >= 20_000_000)
        #expect(waited < 5_000_000_000)
        let answer6 = ring.nextCompletion()
        #expect(answer6 == nil)
    }

    @Test func reportsAnOverflowAndLosesNothing() throws {
        var ring = try makeRing(32, 32)
        let pair = Pair()
        write(pair.right.rawValue, "x", 1)
        var seen = 0
        var overflowed = false
        for round in 0..<4 {
            for index in 0..<16 {
                ring.submit(.pollReadable(pair.left), token: token(UInt8(round * 16 + index)))
            }
            // Nothing is reaped until 64 completions have gathered for a queue of 32.
            _ = ring.enter(waitingFor: 0, forAtMost: nil)
            overflowed = overflowed || ring.hasOverflowed
        }
        #expect(overflowed)
        for _ in 0..<8 {
            while ring.nextCompletion() != nil { seen += 1 }
            _ = ring.enter(waitingFor: 0, forAtMost: nil)
        }
        #expect(seen == 64)
    }

    @Test func countsItsRoom() throws {
        var ring = try makeRing(4, 8)
        let pair = Pair()
        expectRoom(ring, 4)
        ring.submit(.pollReadable(pair.left), token: token(1))
        expectRoom(ring, 3)
        _ = ring.enter(waitingFor: 0, forAtMost: nil)
        expectRoom(ring, 4)
    }

    @Test func tokensKeepTheirParts() {
        for _ in 0..<1000 {
            let operation = UInt8.random(in: 0...255)
            let slot = UInt32.random(in: 0..<Token.slotLimit)
            let generation = UInt32.random(in: 0...UInt32.max)
            let token = Token(operation: operation, slot: slot, generation: generation)
            let back = Token(rawValue: token.rawValue)
            #expect(back.operation == operation)
            #expect(back.slot == slot)
            #expect(back.generation == generation)
        }
    }
}
