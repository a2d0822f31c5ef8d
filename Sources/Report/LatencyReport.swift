// LatencyReport: how the figures of a distribution are taken from a record of durations.

public import Measure

extension LatencyReport {
    /// The distribution of a record; zeros where it is empty.
    public init(_ latency: Latency) {
        count = latency.count
        mean = latency.mean
        p50 = latency.value(atPercentile: 50)
        p90 = latency.value(atPercentile: 90)
        p99 = latency.value(atPercentile: 99)
        p999 = latency.value(atPercentile: 99.9)
        p9999 = latency.value(atPercentile: 99.99)
        max = latency.longest
        curve = latency.curve
    }

    /// The duration in nanoseconds that so many percent do not exceed, as exact as the report has
    /// it: a named percentile, or the next point of the curve.
    public func value(atPercentile percentile: Double) -> UInt64 {
        switch percentile {
        case 50: p50
        case 90: p90
        case 99: p99
        case 99.9: p999
        case 99.99: p9999
        default: curve.first { $0.percentile >= percentile }?.nanoseconds ?? max
        }
    }
}
