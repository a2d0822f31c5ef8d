// How many buffers the kernel is offered: many for small messages, few for large ones.

import Testing

@testable import Engine

struct BufferSupplyTests {
    /// The supply after a hundred starvations, with receives of one size in between.
    private func supply(receiving bytes: UInt64, of bufferBytes: Int = 65536) -> Int {
        var supply = BufferSupply(bufferBytes: bufferBytes, bufferCount: 1024)
        var counters = Counters()
        for _ in 0..<100 {
            counters.receives += 10
            counters.bytesReceived += 10 * bytes
            supply.noteStarvation(counters)
        }
        return supply.bufferCount
    }

    @Test func isTheWholePoolForSmallMessages() {
        #expect(supply(receiving: 64) == 1024)
    }

    @Test func staysInTheCacheForLargeMessages() {
        #expect(supply(receiving: 65536) == 64)
        #expect(supply(receiving: 16384) == 64)
        #expect(supply(receiving: 2048) == 256)
    }

    @Test func knowsNothingFromStarvationAlone() {
        var supply = BufferSupply(bufferBytes: 65536, bufferCount: 1024)
        for _ in 0..<100 { supply.noteStarvation(Counters()) }
        #expect(supply.bufferCount == 64)
    }

    @Test func isAtLeastTwoAndAtMostWhatThereIs() {
        #expect(BufferSupply(bufferBytes: 8 << 20, bufferCount: 16).bufferCount == 2)
        #expect(BufferSupply(bufferBytes: 16, bufferCount: 8).bufferCount == 8)
    }
}
