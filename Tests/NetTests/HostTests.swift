// Threads, doorbells and the clock.

import Net
import Synchronization
import Testing

struct HostTests {
    @Test func aPinnedThreadRunsOnItsCPU() throws {
        let cpu = try #require(CPUSet.allowed().last)
        let seen = Mutex<[Int32]>([])
        try Thread(name: "pinned", cpu: cpu) { seen.withLock { $0 = CPUSet.allowed() } }.join()
        #expect(seen.withLock { $0 } == [cpu])
    }

    @Test func aDoorbellCountsItsRings() throws {
        let bell = try Doorbell()
        let thread = try Thread(name: "ringer") { for _ in 0..<5 { bell.ring() } }
        bell.wait(forRings: 5)
        thread.join()
    }

    @Test func theClockOnlyGrows() {
        let first = Clock.monotonicNanoseconds()
        #expect(Clock.monotonicNanoseconds() >= first)
    }
}
