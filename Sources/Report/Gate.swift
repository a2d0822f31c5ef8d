// Gate: what a run has to keep, written as in `p99<2ms,errors=0`, and whether it did.

import Load

/// A list of limits on the figures of a run.
public struct Gate: Equatable, Sendable {
    /// One limit.
    public struct Limit: Equatable, Sendable {
        let figure: Figure
        let comparison: Comparison
        let value: Double
        /// As it was written.
        public let text: String

        /// Whether it is about errors, so that these need not end the run otherwise.
        public var concernsErrors: Bool { figure == .errors }
    }

    /// What can be limited. Durations are in nanoseconds.
    enum Figure: String, CaseIterable {
        case p50, p90, p99
        case p999 = "p99.9"
        case p9999 = "p99.99"
        case max, mean, connect, errors, rate
    }

    enum Comparison: String, CaseIterable {
        // The longer ones first: `<=` begins with `<`.
        case atMost = "<="
        case atLeast = ">="
        case below = "<"
        case above = ">"
        case equal = "="
    }

    public let limits: [Limit]

    /// Reads limits such as `p99<2ms`, `errors=0` or `rate>=10000`, separated by commas; nil where
    /// one is malformed. `p50` to `p99.99`, `max`, `mean` and `connect` (the 99th percentile of the
    /// connects) are durations and take a unit.
    public init?(_ text: String) {
        var limits: [Limit] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let limit = Gate.limit(String(part)) else { return nil }
            limits.append(limit)
        }
        self.limits = limits
    }

    private static func limit(_ text: String) -> Limit? {
        let compact = text.filter { $0 != " " }
        for comparison in Comparison.allCases {
            guard let range = compact.firstRange(of: comparison.rawValue) else { continue }
            guard let figure = Figure(rawValue: String(compact[..<range.lowerBound])),
                let value = value(String(compact[range.upperBound...]), of: figure)
            else { return nil }
            return Limit(figure: figure, comparison: comparison, value: value, text: compact)
        }
        return nil
    }

    /// So many seconds in nanoseconds are still a number of 64 bits.
    private static let valueMax = 1e9

    private static func value(_ text: String, of figure: Figure) -> Double? {
        guard text.first?.isNumber == true else { return nil }
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), number < valueMax else { return nil }
        let unit = String(text[digits.endIndex...])
        switch figure {
        case .errors: return unit.isEmpty ? number : nil
        case .rate:
            let factors = ["": 1.0, "k": 1e3, "M": 1e6]
            return factors[unit].map { number * $0 }
        default:
            let factors = ["ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9]
            return factors[unit].map { number * $0 }
        }
    }

    /// The limits that a run did not keep, each with what was measured instead.
    public func breaches(by run: RunReport) -> [String] {
        limits.compactMap { limit in
            let found = Gate.found(limit.figure, run)
            return limit.holds(found)
                ? nil : "\(limit.text): it was \(Gate.text(found, limit.figure))"
        }
    }

    private static func found(_ figure: Figure, _ run: RunReport) -> Double {
        switch figure {
        case .p50: Double(run.latency.p50)
        case .p90: Double(run.latency.p90)
        case .p99: Double(run.latency.p99)
        case .p999: Double(run.latency.p999)
        case .p9999: Double(run.latency.p9999)
        case .max: Double(run.latency.max)
        case .mean: run.latency.mean
        case .connect: Double(run.connectLatency.p99)
        case .errors: Double(run.errors.total)
        case .rate: run.messagesPerSecond
        }
    }

    private static func text(_ value: Double, _ figure: Figure) -> String {
        switch figure {
        case .errors: Figures.count(UInt64(value))
        case .rate: Figures.rate(value)
        default: Figures.duration(value)
        }
    }
}

extension Gate.Limit {
    fileprivate func holds(_ found: Double) -> Bool {
        switch comparison {
        case .atMost: found <= value
        case .atLeast: found >= value
        case .below: found < value
        case .above: found > value
        case .equal: found == value
        }
    }
}
