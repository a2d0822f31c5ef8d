// The timer wheel against a plain model of it.

import Net
import Testing

@testable import Engine

struct TimerWheelTests {
    private static let tick: UInt64 = 1 << 24

    @Test func comesDueInTimeAndNeverEarly() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var now: UInt64 = 1_000_000_000_000
        var wheel = try TimerWheel(capacity: 64, now: now)
        var deadlines: [UInt32: UInt64] = [:]
        for _ in 0..<20_000 {
            let slot = UInt32.random(in: 0..<64, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let wait = UInt64.random(in: 0...(60 * .nanosecondsPerSecond), using: &random)
                wheel.set(slot, at: now + wait)
                deadlines[slot] = now + wait
            case 2:
                wheel.remove(slot)
                deadlines[slot] = nil
            default:
                now += UInt64.random(in: 0...(3 * .nanosecondsPerSecond), using: &random)
                while let due = wheel.popDue(now: now) {
                    let deadline = deadlines.removeValue(forKey: due)
                    #expect(deadline != nil, "seed \(seed)")
                    #expect((deadline ?? .max) <= now, "seed \(seed)")
                }
                let late = deadlines.values.filter { $0 + 2 * Self.tick < now }
                #expect(late.isEmpty, "seed \(seed)")
            }
            if let first = deadlines.values.min() {
                let earliest = wheel.earliest
                #expect(earliest != nil, "seed \(seed)")
                #expect((earliest ?? .max) <= first + 2 * Self.tick, "seed \(seed)")
            }
        }
    }

    @Test func waitsForWhatLiesBeyondItsHorizon() throws {
        var wheel = try TimerWheel(capacity: 2, now: 0)
        wheel.set(0, at: 600 * .nanosecondsPerSecond)
        let early = wheel.popDue(now: 60 * .nanosecondsPerSecond)
        #expect(early == nil)
        // It comes out at the horizon; whoever takes it out asks for its true deadline.
        let atHorizon = wheel.popDue(now: 70 * .nanosecondsPerSecond)
        #expect(atHorizon == 0)
        let empty = wheel.earliest == nil || wheel.popDue(now: .max >> 1) == nil
        #expect(empty)
    }
}

struct ErrnoPolicyTests {
    @Test func everyErrorHasItsPolicy() {
        #expect(ErrnoPolicy.ofTransfer(.connectionReset) == .ordinaryEnd(.peerReset))
        #expect(ErrnoPolicy.ofTransfer(.brokenPipe) == .ordinaryEnd(.peerReset))
        #expect(ErrnoPolicy.ofTransfer(.timedOut) == .ordinaryEnd(.keepalive))
        #expect(ErrnoPolicy.ofTransfer(.noBufferSpace) == .starved)
        #expect(ErrnoPolicy.ofTransfer(.interrupted) == .again)
        #expect(ErrnoPolicy.ofTransfer(.badDescriptor) == .defect)
        #expect(ErrnoPolicy.ofTransfer(Errno(rawValue: 113)) == .broken)
        for error in [Errno.tooManyFiles, .tooManyFilesInSystem, .noBufferSpace, .outOfMemory] {
            #expect(ErrnoPolicy.ofAccept(error) == .overload)
        }
        #expect(ErrnoPolicy.ofAccept(.connectionAborted) == .again)
        #expect(ErrnoPolicy.ofAccept(Errno(rawValue: 113)) == .again)
        #expect(ErrnoPolicy.ofAccept(.notSocket) == .defect)
    }
}
