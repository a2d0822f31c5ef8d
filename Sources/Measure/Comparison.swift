// Comparison: whether B differs from A, and by how much, from pairs of blocks that were measured in
// turn. A machine changes over minutes: it warms up, and its neighbours come and go. So A and B
// take turns in the order ABBA, each pair of neighbours gives one ratio, and what changes slowly
// falls out of it. "No difference" is an answer only together with how small a difference would
// have shown.

import Glibc

/// A figure that blocks have, and what to say of it.
public struct ComparedMetric: Codable, Equatable, Sendable {
    /// Which way is up.
    public enum Better: String, Codable, Sendable {
        case larger
        case smaller
    }

    /// Such as `p99 latency`.
    public var name: String
    /// Whether more of it is better, or less.
    public var better: Better
    /// What B is if it is better, such as `faster`.
    public var betterWord: String
    /// What B is if it is worse, such as `slower`.
    public var worseWord: String

    /// A metric; words that are not given are `faster` and `slower`.
    public init(
        _ name: String,
        better: Better,
        betterWord: String = "faster",
        worseWord: String = "slower"
    ) {
        self.name = name
        self.better = better
        self.betterWord = betterWord
        self.worseWord = worseWord
    }

    /// Whether B is better where B/A is `ratio`.
    func isBetter(ratio: Double) -> Bool { better == .larger ? ratio > 1 : ratio < 1 }

    enum CodingKeys: String, CodingKey {
        case name, better
        case betterWord = "better_word"
        case worseWord = "worse_word"
    }
}

/// The values of a metric in paired blocks: `a[i]` and `b[i]` were measured one after the other.
public struct PairedBlocks: Sendable {
    public var metric: ComparedMetric
    public var a: [Double]
    public var b: [Double]

    /// Pairs of values, all greater than 0.
    public init(_ metric: ComparedMetric, a: [Double], b: [Double]) {
        self.metric = metric
        self.a = a
        self.b = b
    }
}

/// Why blocks cannot be compared.
public struct ComparisonError: Error, Equatable, CustomStringConvertible {
    public let description: String
}

/// What is to be said of one metric.
public enum ComparisonVerdict: Equatable, Sendable {
    /// B is better by so many percent; the interval has it with a confidence of 95 %.
    case better(percent: Double, interval: ClosedRange<Double>)
    /// B is worse by so many percent.
    case worse(percent: Double, interval: ClosedRange<Double>)
    /// Nothing showed, and a difference above so many percent would have.
    case noDifference(abovePercent: Double)
    /// So few pairs cannot show any difference, however large.
    case tooFewPairs(needed: Int)
}

/// What a comparison found for one metric.
public struct MetricComparison: Codable, Equatable, Sendable {
    public var metric: ComparedMetric
    public var pairs: Int
    /// B by A, and the interval that has it with a confidence of 95 %.
    public var ratio: Double
    public var ratioLow: Double
    public var ratioHigh: Double
    /// How often chance alone would show at least as much, for this metric by itself.
    public var pValue: Double
    /// The same, corrected for the number of metrics (Holm).
    public var adjustedPValue: Double
    /// A difference of so many percent is found in at least four of five comparisons like this.
    public var detectablePercent: Double
    /// With fewer pairs no difference can be found among so many metrics.
    public var pairsNeeded: Int

    enum CodingKeys: String, CodingKey {
        case metric, pairs, ratio
        case ratioLow = "ratio_low"
        case ratioHigh = "ratio_high"
        case pValue = "p_value"
        case adjustedPValue = "p_value_adjusted"
        case detectablePercent = "detectable_percent"
        case pairsNeeded = "pairs_needed"
    }

    /// What it comes to.
    public var verdict: ComparisonVerdict {
        guard pairs >= pairsNeeded else { return .tooFewPairs(needed: pairsNeeded) }
        // Test and interval have to agree: a claim whose interval has 1 in it contradicts itself.
        let differs = adjustedPValue <= Comparison.level && (ratioLow > 1 || ratioHigh < 1)
        guard differs else { return .noDifference(abovePercent: detectablePercent) }
        let ends = [abs(ratioLow - 1) * 100, abs(ratioHigh - 1) * 100]
        let interval = ends.min()!...ends.max()!
        let percent = abs(ratio - 1) * 100
        return metric.isBetter(ratio: ratio)
            ? .better(percent: percent, interval: interval)
            : .worse(percent: percent, interval: interval)
    }

    /// The verdict as a sentence, such as `p99 latency: B is 9.8 % slower (8.1 % to 11.5 %)`.
    public var sentence: String {
        func says(_ word: String, _ percent: Double, _ interval: ClosedRange<Double>) -> String {
            let low = Decimal.text(interval.lowerBound, places: 1)
            let high = Decimal.text(interval.upperBound, places: 1)
            return "B is \(Decimal.text(percent, places: 1)) % \(word) (\(low) % to \(high) %)"
        }
        let verdictText =
            switch verdict {
            case .better(let percent, let interval):
                says(metric.betterWord, percent, interval)
            case .worse(let percent, let interval):
                says(metric.worseWord, percent, interval)
            case .noDifference(let percent):
                "no difference; one above \(Decimal.text(percent, places: 1)) % would have shown"
            case .tooFewPairs(let needed):
                "\(pairs) pairs are too few to tell; \(needed) could"
            }
        return "\(metric.name): \(verdictText)"
    }
}

/// A comparison of A with B over several metrics.
public struct Comparison: Codable, Equatable, Sendable {
    /// In the order of the metrics that were given.
    public var metrics: [MetricComparison]
    /// Repeats the comparison to the last digit.
    public var seed: UInt64

    /// The chance of calling any metric different if A and B are the same, at most. It is promised
    /// to be below 5 %. A level of 5 % would use that up, and a hundred tries would break the
    /// promise every third time. A power of two, since the p-values of few pairs are such.
    public static let level = 1.0 / 32
    /// How sure the intervals are, each by itself.
    public static let confidence = 0.95

    /// Which of the two is measured in a block.
    public enum Side: String, Codable, Sendable {
        case a
        case b
    }

    /// The order in which to measure so many pairs: ABBA, again and again. A drift that a pair has
    /// in one direction the next has in the other.
    public static func order(pairs: Int) -> [Side] {
        (0..<pairs).flatMap { $0 % 2 == 0 ? [Side.a, .b] : [.b, .a] }
    }

    /// The fewest pairs that can show a difference among so many metrics.
    public static func pairsNeeded(metrics: Int) -> Int {
        var pairs = 1
        while SignFlip.leastPValue(pairs: pairs) * Double(max(1, metrics)) > level { pairs += 1 }
        return pairs
    }

    /// Compares.
    ///
    /// - Parameters:
    ///   - blocks: the metrics with their pairs, at least one pair each.
    ///   - seed: what is drawn at random follows from it.
    ///   - resamples: how many samples an interval is made from, and how many signs are drawn where
    ///     there are more than 14 pairs.
    public init(
        _ blocks: [PairedBlocks],
        seed: UInt64,
        resamples: Int = 10_000
    ) throws(ComparisonError) {
        precondition(resamples >= 100, "an interval needs samples to be made from")
        self.seed = seed
        metrics = []
        for block in blocks {
            let differences = try Comparison.logarithmicRatios(block)
            metrics.append(
                Comparison.compare(block.metric, differences, blocks.count, seed, resamples)
            )
        }
        let adjusted = Holm.adjusted(metrics.map(\.pValue))
        for index in metrics.indices { metrics[index].adjustedPValue = adjusted[index] }
    }

    /// Whether B is worse than A in any metric.
    public var isRegression: Bool {
        metrics.contains { metric in
            if case .worse = metric.verdict { true } else { false }
        }
    }

    private static func logarithmicRatios(_ block: PairedBlocks) throws(ComparisonError) -> [Double]
    {
        let name = block.metric.name
        guard block.a.count == block.b.count, !block.a.isEmpty else {
            let counts = "\(block.a.count) blocks of A and \(block.b.count) of B"
            throw ComparisonError(description: "\(name): \(counts) do not make pairs")
        }
        var ratios: [Double] = []
        for (pair, (a, b)) in zip(block.a, block.b).enumerated() {
            guard a > 0, b > 0, a.isFinite, b.isFinite else {
                throw ComparisonError(
                    description: "\(name): pair \(pair + 1) is \(a) and \(b), which have no ratio"
                )
            }
            ratios.append(log(b / a))
        }
        return ratios
    }

    private static func compare(
        _ metric: ComparedMetric,
        _ differences: [Double],
        _ metricCount: Int,
        _ seed: UInt64,
        _ resamples: Int
    ) -> MetricComparison {
        let sorted = differences.sorted()
        let interval = TrimmedMean.interval(
            sorted: sorted,
            level: confidence,
            resamples: resamples,
            seed: seed
        )
        // A difference as large as half of the interval would be found every other time. It has to
        // be larger by what Holm asks of the first of several metrics, and by another half to be
        // found nearly always if tails were normal: with the tails of the tests it is found in more
        // than four of five comparisons.
        let half = (interval.high - interval.low) / 2
        let corrected = Normal.quantile(1 - level / 2 / Double(metricCount))
        let certain = half * (1 + corrected / Normal.quantile((1 + confidence) / 2))
        // And "none above y" must not deny what the interval still has in it.
        let widest = max(abs(interval.low), abs(interval.high))
        let detectable = max(certain, widest)
        return MetricComparison(
            metric: metric,
            pairs: differences.count,
            ratio: exp(TrimmedMean.of(sorted: sorted)),
            ratioLow: exp(interval.low),
            ratioHigh: exp(interval.high),
            pValue: SignFlip.pValue(differences, resamples: resamples, seed: ~seed),
            adjustedPValue: 1,
            detectablePercent: (exp(detectable) - 1) * 100,
            pairsNeeded: pairsNeeded(metrics: metricCount)
        )
    }
}
