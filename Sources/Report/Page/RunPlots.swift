// RunPlots: the figures of a run: its distributions by percentile, and what happened over time.

import Measure

/// The plots that pages are made of.
enum RunPlots {
    /// A distribution with a name.
    typealias Named = (name: String, latency: LatencyReport)

    private static let micro = "\u{b5}"

    /// Distributions over each other: the percentiles from left to right, the longest on the right.
    static func percentiles(id: String, title: String, _ distributions: [Named]) -> Plot? {
        let shown = distributions.filter { $0.latency.count > 0 && !$0.latency.curve.isEmpty }
        guard let most = shown.map(\.latency.count).max() else { return nil }
        let x = Axis.percentiles(count: most)
        let values = shown.flatMap { $0.latency.curve.map { Double($0.nanoseconds) } }
        let series = shown.enumerated().map { index, item in
            Series(
                name: item.name,
                look: index % 6,
                points: curve(item.latency),
                stops: stops(item, upTo: x.high)
            )
        }
        let sentences = shown.map { item in
            "\(item.name): p50 \(Figures.duration(item.latency.p50, micro: micro)), "
                + "p99 \(Figures.duration(item.latency.p99, micro: micro)), "
                + "max \(Figures.duration(item.latency.max, micro: micro))."
        }
        return Plot(
            id: id,
            title: title,
            description: sentences.joined(separator: " "),
            x: x,
            y: .durations("latency, logarithmic", values),
            series: series
        )
    }

    /// The curve of a distribution, with the named percentiles in it: they lie between its points,
    /// and their stops must not lie beside the line.
    private static func curve(_ latency: LatencyReport) -> [Series.Point] {
        let points =
            latency.curve
            + named.map { CurvePoint(percentile: $0, nanoseconds: latency.value(atPercentile: $0)) }
        return points.sorted { ($0.percentile, $0.nanoseconds) < ($1.percentile, $1.nanoseconds) }
            .map { Series.Point(x: $0.percentile, y: Double($0.nanoseconds)) }
    }

    private static func stops(_ item: Named, upTo high: Double) -> [Series.Stop] {
        named.filter { $0 <= high }.map { percentile in
            let value = item.latency.value(atPercentile: percentile)
            let words = Figures.duration(value, micro: micro)
            return Series.Stop(
                x: percentile,
                y: Double(value),
                words: "\(item.name) \(Figures.percentile(percentile)): \(words)"
            )
        }
    }

    private static let named = [50, 90, 99, 99.9, 99.99]

    /// Responses per second over the window, beside what was asked for. Intervals with errors are
    /// marked.
    static func throughput(_ run: RunReport) -> Plot? {
        let intervals = thinned(run.intervals)
        guard !intervals.isEmpty else { return nil }
        let asked = run.plan.rate.flatMap { $0.isFinite ? $0 : nil }
        let rates = intervals.map(\.messagesPerSecond).filter(\.isFinite)
        let highest = max(rates.max() ?? 0, asked ?? 0)
        let broken = intervals.filter { $0.errors > 0 && $0.messagesPerSecond.isFinite }.map {
            interval in
            Series.Stop(
                x: middle(interval),
                y: interval.messagesPerSecond,
                words: RunWords.counted(interval.errors, "error")
            )
        }
        var series = [
            Series(
                name: "responses",
                look: 2,
                style: .area,
                points: steps(intervals) {
                    $0.messagesPerSecond.isFinite ? $0.messagesPerSecond : nil
                }
            )
        ]
        if !broken.isEmpty {
            series.append(
                Series(name: "with errors", look: 1, style: .dots, points: [], stops: broken)
            )
        }
        return Plot(
            id: "throughput",
            title: "Throughput",
            description: "Responses per second in each interval, from "
                + "\(Figures.rate(rates.min() ?? 0)) to \(Figures.rate(rates.max() ?? 0)).",
            x: .time(nanoseconds: end(of: intervals)),
            y: .fromZero("per second", upTo: highest * 1.04) { rateLabel($0) },
            series: series,
            marks: asked.map { [Mark(place: .horizontal($0), label: "asked", look: nil)] } ?? []
        )
    }

    /// Latency over the window.
    static func latencyOverTime(_ run: RunReport) -> Plot? {
        let intervals = thinned(run.intervals)
        guard intervals.contains(where: { $0.max > 0 }) else { return nil }
        func value(_ nanoseconds: UInt64) -> Double? { nanoseconds > 0 ? Double(nanoseconds) : nil }
        let values = intervals.flatMap { [$0.p50, $0.p99, $0.max].compactMap(value) }
        let worst = intervals.max { $0.max < $1.max }
        return Plot(
            id: "latency-over-time",
            title: "Latency over time",
            description: "p50, p99 and longest latency of each interval. The longest was "
                + "\(Figures.duration(worst?.max ?? 0, micro: micro)), "
                + "\(Figures.duration(worst?.startNanoseconds ?? 0, micro: micro)) after the "
                + "beginning.",
            x: .time(nanoseconds: end(of: intervals)),
            y: .durations("latency, logarithmic", values),
            series: [
                Series(name: "max", look: 5, points: steps(intervals) { value($0.max) }),
                Series(name: "p99", look: 1, points: steps(intervals) { value($0.p99) }),
                Series(name: "p50", look: 0, points: steps(intervals) { value($0.p50) }),
            ]
        )
    }

    /// A label of a rate on an axis: `50 k`.
    static func rateLabel(_ perSecond: Double) -> String {
        for (factor, prefix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where perSecond >= factor {
            return "\(Figures.shortest(perSecond / factor)) \(prefix)"
        }
        return Figures.shortest(perSecond)
    }

    /// At most 240 intervals: neighbours become one with the longest of their latencies, so that no
    /// bad moment is lost.
    static func thinned(_ intervals: [IntervalReport]) -> [IntervalReport] {
        let together = (intervals.count + 239) / 240
        guard together > 1 else { return intervals }
        return stride(from: 0, to: intervals.count, by: together).map { first in
            let group = intervals[first..<min(first + together, intervals.count)]
            return group.dropFirst().reduce(into: group[first]) { sum, next in
                let lengths = Double(sum.durationNanoseconds + next.durationNanoseconds)
                let share = lengths > 0 ? Double(next.durationNanoseconds) / lengths : 0
                sum.messagesPerSecond += (next.messagesPerSecond - sum.messagesPerSecond) * share
                sum.bytesReceivedPerSecond +=
                    (next.bytesReceivedPerSecond - sum.bytesReceivedPerSecond) * share
                sum.durationNanoseconds += next.durationNanoseconds
                sum.messages += next.messages
                sum.p50 = max(sum.p50, next.p50)
                sum.p99 = max(sum.p99, next.p99)
                sum.max = max(sum.max, next.max)
                sum.errors += next.errors
            }
        }
    }

    /// A value as long as its interval: what was between two measurements is not known.
    private static func steps(
        _ intervals: [IntervalReport],
        _ value: (IntervalReport) -> Double?
    ) -> [Series.Point] {
        intervals.flatMap { interval in
            let start = Double(interval.startNanoseconds)
            let y = value(interval)
            return [
                Series.Point(x: start, y: y),
                Series.Point(x: start + Double(interval.durationNanoseconds), y: y),
            ]
        }
    }

    private static func middle(_ interval: IntervalReport) -> Double {
        Double(interval.startNanoseconds) + Double(interval.durationNanoseconds) / 2
    }

    private static func end(of intervals: [IntervalReport]) -> Double {
        intervals.last.map { Double($0.startNanoseconds) + Double($0.durationNanoseconds) } ?? 0
    }
}
