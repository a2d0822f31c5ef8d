// Resampling: the statistics behind a comparison, over logarithms of paired ratios. Nothing here
// assumes a distribution, since blocks of a load test have none that could be named: a neighbour, a
// timer or a page of memory slows some of them by a fifth. All of it follows from a seed.

import Glibc

/// The generator SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A whole number from 0 to `bound - 1`. The bias of the multiplication is below 2^-32 for the
    /// numbers of blocks that occur.
    mutating func index(below bound: Int) -> Int {
        Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(bound)) >> 32)
    }
}

/// The mean without the smallest and the largest fifth.
///
/// Why not the mean: one block in ten that is a fifth slower doubles the variance of a mean, and
/// the percentile bootstrap of a mean misses its level where tails are heavy. Why not the median:
/// it throws away a third of the pairs' information where there are no outliers, and its bootstrap
/// takes only few values. With 20 % trimming the percentile bootstrap holds its level from about
/// ten values on (R. Wilcox, Introduction to Robust Estimation and Hypothesis Testing, chapter 4).
enum TrimmedMean {
    /// How many values are left out at each end.
    static func trimmed(of count: Int) -> Int { count / 5 }

    /// The trimmed mean of ascending values; 0 where there are none.
    static func of(sorted values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let left = trimmed(of: values.count)
        let kept = values[left..<(values.count - left)]
        return kept.reduce(0, +) / Double(kept.count)
    }

    /// The percentile bootstrap: the middle `level` of the trimmed means of `resamples` samples,
    /// drawn from the values with replacement. Needs at least one value.
    static func interval(
        sorted values: [Double],
        level: Double,
        resamples: Int,
        seed: UInt64
    ) -> (low: Double, high: Double) {
        var random = SplitMix64(seed: seed)
        let left = trimmed(of: values.count)
        let kept = values.count - 2 * left
        var drawn = [Int](repeating: 0, count: values.count)
        var means = [Double](repeating: 0, count: resamples)
        for resample in 0..<resamples {
            for index in drawn.indices { drawn[index] = 0 }
            for _ in drawn.indices { drawn[random.index(below: drawn.count)] += 1 }
            // The values ascend, so how often each was drawn is the sorted sample.
            var skip = left
            var want = kept
            var sum = 0.0
            var index = 0
            while want > 0 {
                let skipped = min(skip, drawn[index])
                let taken = min(want, drawn[index] - skipped)
                skip -= skipped
                want -= taken
                sum += values[index] * Double(taken)
                index += 1
            }
            means[resample] = sum / Double(kept)
        }
        means.sort()
        let tail = (1 - level) / 2
        let low = Int((tail * Double(resamples)).rounded(.down))
        let high = Int(((1 - tail) * Double(resamples)).rounded(.up)) - 1
        return (means[min(low, resamples - 1)], means[max(high, 0)])
    }
}

/// The paired permutation test. If A and B are the same, each difference could as well have had the
/// other sign; so the observed trimmed mean is compared with those under all signs, or under many
/// drawn at random. That holds its level whatever the noise is (Fisher 1935). Where one block in
/// ten is a fifth slower the trimmed mean finds a slowdown by a tenth more often than a sum of
/// ranks does: 96 times in 100 against 93, at a level of 5 % among four metrics.
enum SignFlip {
    /// Up to so many pairs all signs are tried: 2^14 means.
    static let exactPairsMax = 14

    /// The two-sided p-value of differences that are symmetric about 0 if nothing differs.
    static func pValue(_ differences: [Double], resamples: Int, seed: UInt64) -> Double {
        let ascending = differences.sorted { abs($0) < abs($1) }
        let sizes = ascending.map { abs($0) }
        let negative = ascending.map { $0 < 0 }
        // Sums of the same values in another order differ in the last bits.
        let observed = abs(trimmedMean(sizes, negative)) * (1 - 1e-9)
        guard observed > 0 else { return 1 }
        return sizes.count <= exactPairsMax
            ? exact(sizes, observed) : drawn(sizes, observed, resamples, SplitMix64(seed: seed))
    }

    /// The smallest p-value that so many pairs can give. All differences are of one sign then, and
    /// turning the smallest round puts them where they are left out anyway.
    static func leastPValue(pairs: Int) -> Double {
        pow(2, Double(1 + TrimmedMean.trimmed(of: pairs) - pairs))
    }

    /// The trimmed mean of values with ascending sizes and these signs. In ascending order they are
    /// the negative ones from the largest on, then the others from the smallest on.
    private static func trimmedMean(_ sizes: [Double], _ negative: [Bool]) -> Double {
        let left = TrimmedMean.trimmed(of: sizes.count)
        let end = sizes.count - left
        var place = 0
        var sum = 0.0
        var index = sizes.count - 1
        while index >= 0 {
            if negative[index] {
                if place >= left, place < end { sum -= sizes[index] }
                place += 1
            }
            index -= 1
        }
        index = 0
        while index < sizes.count {
            if !negative[index] {
                if place >= left, place < end { sum += sizes[index] }
                place += 1
            }
            index += 1
        }
        return sum / Double(end - left)
    }

    private static func exact(_ sizes: [Double], _ observed: Double) -> Double {
        // The largest keeps its sign: turning all signs round turns the mean round and no more.
        let count = 1 << (sizes.count - 1)
        var negative = [Bool](repeating: false, count: sizes.count)
        var extreme = 0
        for signs in 0..<count {
            for index in 0..<(sizes.count - 1) { negative[index] = signs >> index & 1 == 1 }
            if abs(trimmedMean(sizes, negative)) >= observed { extreme += 1 }
        }
        return Double(extreme) / Double(count)
    }

    private static func drawn(
        _ sizes: [Double],
        _ observed: Double,
        _ resamples: Int,
        _ generator: SplitMix64
    ) -> Double {
        var random = generator
        var negative = [Bool](repeating: false, count: sizes.count)
        // The observed signs are one of the possible ones; without them p could be 0, which it
        // never is (Phipson and Smyth 2010).
        var extreme = 1
        for _ in 0..<resamples {
            var signs: UInt64 = 0
            for index in negative.indices {
                if index & 63 == 0 { signs = random.next() }
                negative[index] = signs & 1 == 1
                signs >>= 1
            }
            if abs(trimmedMean(sizes, negative)) >= observed { extreme += 1 }
        }
        return Double(extreme) / Double(resamples + 1)
    }
}

/// Several tests at once.
enum Holm {
    /// p-values that may each be compared with the level, while the chance of even one false alarm
    /// among all stays below it (Holm 1979). It holds for metrics that depend on each other, as
    /// throughput and latency do.
    static func adjusted(_ pValues: [Double]) -> [Double] {
        var adjusted = pValues
        var least = 0.0
        for (rank, index) in pValues.indices.sorted(by: { pValues[$0] < pValues[$1] }).enumerated()
        {
            least = max(least, min(1, pValues[index] * Double(pValues.count - rank)))
            adjusted[index] = least
        }
        return adjusted
    }
}

/// The standard normal distribution.
enum Normal {
    /// The value that a share of all does not exceed; for shares between 0 and 1.
    static func quantile(_ share: Double) -> Double {
        var low = -40.0
        var high = 40.0
        // Bisection to the last bit: it is called a few times a comparison.
        for _ in 0..<100 {
            let middle = (low + high) / 2
            if 0.5 * erfc(-middle / 2.0.squareRoot()) < share {
                low = middle
            } else {
                high = middle
            }
        }
        return (low + high) / 2
    }
}
