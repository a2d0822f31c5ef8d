// Latency: how long things took, in a histogram of fixed size, so that recording never allocates.

internal import Histogram

/// A record of durations from 1 ns to 100 s with three significant digits. Longer ones count as 100
/// s.
public struct Latency: Equatable, Sendable {
    private(set) var histogram: Histogram<UInt64>
    /// The longest duration recorded, exactly.
    public internal(set) var longest: UInt64 = 0

    static let longestTrackable: UInt64 = 100_000_000_000

    /// An empty record.
    public init() {
        histogram = Histogram(
            lowestDiscernibleValue: 1,
            highestTrackableValue: Latency.longestTrackable,
            numberOfSignificantValueDigits: .three
        )
    }

    /// How many durations were recorded.
    public var count: UInt64 { histogram.totalCount }

    /// Records a duration in nanoseconds.
    public mutating func record(_ nanoseconds: UInt64) {
        histogram.record(min(max(nanoseconds, 1), Latency.longestTrackable))
        if nanoseconds > longest { longest = nanoseconds }
    }

    /// Records `count` durations of so many nanoseconds, at most 100 s each.
    mutating func record(_ nanoseconds: UInt64, count: UInt64) {
        histogram.record(nanoseconds, count: count)
    }

    /// Adds another record's durations.
    public mutating func add(_ other: Latency) {
        guard other.count > 0 else { return }
        histogram.add(other.histogram)
        longest = max(longest, other.longest)
    }

    /// Forgets everything; the memory stays.
    public mutating func reset() {
        guard count > 0 else { return }
        histogram.reset()
        longest = 0
    }

    /// The whole distribution: ascending percentiles from 0 to 100 with their durations, in steps
    /// that halve each time half of the way to 100 has been gone.
    public var curve: [CurvePoint] {
        var points: [CurvePoint] = []
        guard count > 0 else { return points }
        for value in histogram.percentiles(ticksPerHalfDistance: 5) {
            let point = CurvePoint(
                percentile: value.percentileLevelIteratedTo,
                nanoseconds: min(value.value, longest)
            )
            points.append(point)
        }
        return points
    }

    /// The mean, or 0 where nothing was recorded.
    public var mean: Double { count == 0 ? 0 : histogram.mean }

    /// The duration that a share of all does not exceed: `percentile` from 0 to 100.
    public func value(atPercentile percentile: Double) -> UInt64 {
        count == 0 ? 0 : min(histogram.valueAtPercentile(percentile), longest)
    }
}

/// A point of a distribution: so many percent of all durations are not longer.
public struct CurvePoint: Codable, Equatable, Sendable {
    public var percentile: Double
    public var nanoseconds: UInt64

    /// A point.
    public init(percentile: Double, nanoseconds: UInt64) {
        self.percentile = percentile
        self.nanoseconds = nanoseconds
    }

    enum CodingKeys: String, CodingKey {
        case percentile
        case nanoseconds = "ns"
    }
}

/// The figures of a latency record that reports show, in nanoseconds.
public struct LatencySummary: Codable, Equatable, Sendable {
    public let p50: UInt64
    public let p90: UInt64
    public let p99: UInt64
    public let p999: UInt64
    public let p9999: UInt64
    public let max: UInt64

    enum CodingKeys: String, CodingKey {
        case p50, p90, p99
        case p999 = "p99_9"
        case p9999 = "p99_99"
        case max
    }

    /// The figures of a record; zeros where it is empty.
    public init(_ latency: Latency) {
        p50 = latency.value(atPercentile: 50)
        p90 = latency.value(atPercentile: 90)
        p99 = latency.value(atPercentile: 99)
        p999 = latency.value(atPercentile: 99.9)
        p9999 = latency.value(atPercentile: 99.99)
        max = latency.longest
    }
}
