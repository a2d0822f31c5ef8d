// HistogramLog: a run as one latency record an interval, in HdrHistogram's log format 1.3.
// Percentiles of several machines cannot be merged, and histograms can; so a log is what a run
// leaves behind for `ringload merge`, and for every tool that reads the format. Totals that the
// format has no place for stand before their interval in a comment, which other tools skip:
//
//     #[ringload bytes=6400 errors=0 longest_ns=91034 messages=100]

/// A log: some intervals, and when they began.
public struct HistogramLog: Equatable, Sendable {
    /// When the log began, in nanoseconds since 1970 (UTC).
    public var startNanoseconds: UInt64
    /// Comments from before the first interval, without `#`; each is one line.
    public var comments: [String] = []
    /// In the order of the file.
    public var intervals: [HistogramInterval] = []
    /// Whether the last line had no end and was left out, as a killed program leaves it.
    public var isCutShort = false

    /// A log.
    ///
    /// - Parameter startNanoseconds: since 1970 (UTC).
    public init(
        startNanoseconds: UInt64,
        comments: [String] = [],
        intervals: [HistogramInterval] = []
    ) {
        self.startNanoseconds = startNanoseconds
        self.comments = comments
        self.intervals = intervals
    }

    /// The tags that intervals have, each once, in the order of the file; nil for those without.
    public var tags: [String?] {
        var tags: [String?] = []
        for interval in intervals where !tags.contains(interval.tag) { tags.append(interval.tag) }
        return tags
    }

    /// All intervals with a tag, added up: from the first start to the last end.
    public func total(tag: String? = nil) -> HistogramInterval? {
        let chosen = intervals.filter { $0.tag == tag }
        guard let start = chosen.map(\.startNanoseconds).min(),
            let end = chosen.map(\.endNanoseconds).max()
        else { return nil }
        return HistogramInterval(adding: chosen, start: start, length: end - start)
    }
}

/// One interval of a log.
public struct HistogramInterval: Equatable, Sendable {
    /// When it began, in nanoseconds since 1970 (UTC); a log keeps microseconds.
    public var startNanoseconds: UInt64
    /// How long it lasted; a log keeps microseconds.
    public var lengthNanoseconds: UInt64
    /// Tells several records of the same time apart, such as `service`.
    public var tag: String?
    /// What was recorded in it.
    public var latency: Latency
    /// Totals of the interval by name, such as `messages`; names are of a-z, 0-9 and `_`.
    public var counters: [String: UInt64]

    /// An interval.
    public init(
        startNanoseconds: UInt64,
        lengthNanoseconds: UInt64,
        tag: String? = nil,
        latency: Latency,
        counters: [String: UInt64] = [:]
    ) {
        self.startNanoseconds = startNanoseconds
        self.lengthNanoseconds = lengthNanoseconds
        self.tag = tag
        self.latency = latency
        self.counters = counters
    }

    /// When it ended.
    public var endNanoseconds: UInt64 {
        startNanoseconds.addingReportingOverflow(lengthNanoseconds).overflow
            ? .max : startNanoseconds + lengthNanoseconds
    }

    /// The sum of some intervals, at least one: counts by bucket, and totals by name.
    init(adding intervals: [HistogramInterval], start: UInt64, length: UInt64) {
        self.init(
            startNanoseconds: start,
            lengthNanoseconds: length,
            tag: intervals[0].tag,
            latency: Latency()
        )
        for interval in intervals {
            latency.add(interval.latency)
            for (name, count) in interval.counters {
                counters[name] = counters[name, default: 0].addingSaturating(count)
            }
        }
    }
}

extension UInt64 {
    /// The sum, or the largest number where it would be larger.
    fileprivate func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }
}

/// What is wrong with a log: which file, which line, and the cause.
public struct HistogramLogError: Error, Equatable, CustomStringConvertible {
    /// The file as it was named.
    public var file: String
    /// The line, from 1; nil where the file as a whole is meant.
    public var line: Int?
    public var cause: String

    public var description: String {
        line.map { "\(file):\($0): \(cause)" } ?? "\(file): \(cause)"
    }
}
