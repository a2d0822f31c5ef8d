// Latency records and processor time.

import Glibc
import Measure
import Testing

struct LatencyTests {
    @Test func percentilesAreWithinAThousandth() {
        var latency = Latency()
        for value in 1...100_000 { latency.record(UInt64(value) * 1000) }
        #expect(latency.count == 100_000)
        for (percentile, expected) in [(50.0, 50_000_000.0), (99, 99_000_000), (99.9, 99_900_000)] {
            let value = Double(latency.value(atPercentile: percentile))
            #expect(abs(value - expected) / expected < 0.001, "p\(percentile) is \(value)")
        }
        #expect(latency.longest == 100_000_000)
        #expect(latency.value(atPercentile: 100) == 100_000_000)
    }

    @Test func addsUp() {
        var left = Latency()
        var right = Latency()
        left.record(10)
        right.record(1000)
        left.add(right)
        #expect(left.count == 2)
        #expect(left.longest == 1000)
        #expect(LatencySummary(Latency()) == LatencySummary(Latency()))
        #expect(LatencySummary(Latency()).p50 == 0)
    }

    @Test func keepsWhatIsOutOfRange() {
        var latency = Latency()
        latency.record(0)
        latency.record(.max)
        #expect(latency.count == 2)
        #expect(latency.longest == .max)
    }
}

struct ProcessorTimeTests {
    @Test func growsWithWork() throws {
        let before = try #require(ProcessorTime.nanoseconds(ofProcess: getpid()))
        var sum = 0
        let end = clock() + 50_000
        while clock() < end { sum &+= 1 }
        let after = try #require(ProcessorTime.nanoseconds(ofProcess: getpid()))
        #expect(after > before, "\(sum)")
        #expect(ProcessorTime.nanoseconds(ofProcess: 0x7fff_fff0) == nil)
    }
}
