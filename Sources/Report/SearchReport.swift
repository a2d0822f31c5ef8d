// SearchReport: what `ringload search` found: the highest rate that a server takes within a limit,
// and the whole curve of latency by rate on which that rate is one point.

import Glibc
import Load
public import Measure

/// A search for the highest rate within a limit.
public struct SearchReport: VersionedReport, Equatable, Sendable {
    /// A rate that was tried.
    public struct Step: Codable, Equatable, Sendable {
        /// Requests per second that were asked for; nil where as many were sent as would go.
        public var rateAsked: Double?
        public var run: RunReport
        /// Whether the limit was kept.
        public var kept: Bool

        /// A step.
        public init(rateAsked: Double?, run: RunReport, kept: Bool) {
            self.rateAsked = rateAsked
            self.run = run
            self.kept = kept
        }

        enum CodingKeys: String, CodingKey {
            case rateAsked = "rate_asked"
            case run, kept
        }
    }

    public static let formatVersion = 1
    public static let kind = "a search"

    /// The version of this form.
    public var format = SearchReport.formatVersion
    /// On what and by which command the search was made.
    public var manifest: Manifest
    /// The limit in words, such as `p99 <= 1 ms`.
    public var limit: String
    /// The percentile of the latency that the limit is on, from 0 to 100.
    public var limitPercentile: Double
    /// nil where the limit is not one of latency.
    public var limitNanoseconds: UInt64?
    /// In the order in which they were made.
    public var steps: [Step]
    /// The highest rate that was asked for and kept the limit, in requests per second; nil where
    /// none did.
    public var answerPerSecond: Double?
    /// The answer in words, with how sure it is.
    public var answer: String

    /// What a search found.
    public init(
        manifest: Manifest,
        limit: String,
        limitPercentile: Double = 99,
        limitNanoseconds: UInt64?,
        steps: [Step],
        answerPerSecond: Double?,
        answer: String
    ) {
        self.manifest = manifest
        self.limit = limit
        self.limitPercentile = limitPercentile
        self.limitNanoseconds = limitNanoseconds
        self.steps = steps
        self.answerPerSecond = answerPerSecond
        self.answer = answer
    }

    enum CodingKeys: String, CodingKey {
        case format, manifest, limit
        case limitPercentile = "limit_percentile"
        case limitNanoseconds = "limit_ns"
        case steps
        case answerPerSecond = "answer_per_second"
        case answer
    }

    // ---- the curve ----

    /// A point of the curve: what a step achieved.
    struct Point: Equatable {
        /// Requests per second.
        var rate: Double
        /// At the percentile of the limit.
        var nanoseconds: UInt64
        var kept: Bool
    }

    /// The steps that measured something, in the order of their rates.
    var curve: [Point] {
        steps.map { step in
            Point(
                rate: step.run.messagesPerSecond,
                nanoseconds: step.run.latency.value(atPercentile: limitPercentile),
                kept: step.kept
            )
        }
        .filter { $0.nanoseconds > 0 && $0.rate.isFinite }
        .sorted { ($0.rate, $0.nanoseconds) < ($1.rate, $1.nanoseconds) }
    }

    /// Where the curve turns upwards: the point farthest below the straight line from its first
    /// point to its last, on a logarithmic scale of latency. nil where the curve is all but
    /// straight; from so few points a knee would be made up.
    var knee: Point? {
        let points = curve
        guard points.count >= 4, let first = points.first, let last = points.last,
            last.rate > first.rate, last.nanoseconds > first.nanoseconds
        else { return nil }
        func depth(_ point: Point) -> Double {
            let across = (point.rate - first.rate) / (last.rate - first.rate)
            let up =
                (log(Double(point.nanoseconds)) - log(Double(first.nanoseconds)))
                / (log(Double(last.nanoseconds)) - log(Double(first.nanoseconds)))
            return across - up
        }
        guard let deepest = points.max(by: { depth($0) < depth($1) }), depth(deepest) > 0.2 else {
            return nil
        }
        return deepest
    }
}

extension TextReport {
    /// A search in lines of at most 100 columns.
    public static func text(_ search: SearchReport) -> String {
        var lines: [String] = []
        let plan = search.steps.first?.run.plan
        lines.append("search \(plan?.targets.joined(separator: " ") ?? "")".trimmingSpaces)
        if let plan { lines += indented(RunWords.generator(plan), by: 2) }
        lines.append("")
        let percentile = Figures.percentile(search.limitPercentile)
        var table = TextTable(firstColumnWidth: nameColumns)
        table.add(["asked", "achieved", "p50", percentile, "max", "errors", "limit", "run"])
        for step in search.steps { table.add(cells(step, search.limitPercentile, micro: "u")) }
        lines += table.lines + [""]
        lines += named("limit", search.limit)
        if let knee = search.knee {
            lines += named(
                "knee",
                "\(Figures.rate(knee.rate)) at \(percentile) "
                    + "\(Figures.duration(knee.nanoseconds)): from there on latency grows faster"
            )
        }
        lines += named("answer", search.answer)
        return lines.map(\.printable).joined(separator: "\n")
    }

    /// What a step came to, in the order of the table's columns.
    static func cells(
        _ step: SearchReport.Step,
        _ percentile: Double,
        micro: String
    ) -> [String] {
        let latency = step.run.latency
        let durations = [latency.p50, latency.value(atPercentile: percentile), latency.max]
        return [step.rateAsked.map(Figures.rate) ?? "all that goes"]
            + [Figures.rate(step.run.messagesPerSecond)]
            + durations.map { Figures.duration($0, micro: micro) }
            + [
                Figures.count(step.run.errors.total), step.kept ? "kept" : "missed",
                step.run.audit.isValid ? "valid" : "INVALID",
            ]
    }
}
