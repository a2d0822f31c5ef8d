// When the requests of an open loop are due, and how large they are.

import Testing

@testable import Load

struct ScheduleTests {
    private func schedule(_ spacing: Arrivals.Spacing, phase: Double = 0) -> Schedule {
        Schedule(start: 1_000_000, perSecond: 4000, spacing: spacing, phase: phase, seed: 7)
    }

    @Test func aConstantRateKeepsItsIntervalsExactly() {
        var schedule = schedule(.constant, phase: 0.5)
        for number in 0..<10_000 {
            #expect(schedule.next == 1_000_000 + 125_000 + UInt64(number) * 250_000)
            schedule.advance()
        }
    }

    /// Exponential intervals: their mean is that of the rate, and so is their deviation.
    @Test func aPoissonScheduleIsOne() {
        var schedule = schedule(.poisson)
        var intervals: [Double] = []
        var last: UInt64 = 1_000_000
        for _ in 0..<100_000 {
            intervals.append(Double(schedule.next - last))
            last = schedule.next
            schedule.advance()
        }
        let mean = intervals.reduce(0, +) / Double(intervals.count)
        let squares = intervals.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = (squares / Double(intervals.count)).squareRoot()
        #expect(abs(mean / 250_000 - 1) < 0.02)
        #expect(abs(deviation / 250_000 - 1) < 0.02)
    }

    @Test func theSameSeedIsTheSameSchedule() {
        var (one, other) = (schedule(.poisson), schedule(.poisson))
        for _ in 0..<100 {
            #expect(one.next == other.next)
            one.advance()
            other.advance()
        }
    }

    @Test func countsWhatIsDueUntilAMoment() {
        let schedule = schedule(.constant)
        #expect(schedule.count(until: 1_000_000) == 0)
        #expect(schedule.count(until: 1_000_001) == 1)
        #expect(schedule.count(until: 1_250_000) == 1)
        #expect(schedule.count(until: 1_250_001) == 2)
    }

    @Test func sizesFollowTheirDistribution() {
        var random = SplitMix64(seed: 3)
        func sizes(_ distribution: SizeDistribution) -> [Int] {
            (0..<20_000).map { _ in distribution.next(&random) }
        }
        #expect(Set(sizes(.fixed(64))) == [64])
        #expect(Set(sizes(.even(3...5))) == [3, 4, 5])
        let choices = [
            SizeDistribution.Choice(bytes: 1, weight: 9),
            SizeDistribution.Choice(bytes: 7, weight: 1),
        ]
        let heavy = sizes(.weighted(choices)).count { $0 == 7 }
        #expect((1700...2300).contains(heavy), "\(heavy) of 20000")
        let logarithmic = sizes(.logarithmic(10...5000))
        #expect(logarithmic.allSatisfy { (10...5000).contains($0) })
        let small = logarithmic.count { $0 < 128 }
        // 8 to 15, 16 to 31, 32 to 63 and 64 to 127 are four of the ten doublings.
        #expect((7500...8500).contains(small), "\(small) of 20000")
    }
}
