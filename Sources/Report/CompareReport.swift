// CompareReport: what `ringload compare` found: two servers, or two settings of one, loaded in
// turn, and whether what differs is more than chance.

import Load
public import Measure

/// A comparison of A with B.
public struct CompareReport: VersionedReport, Equatable, Sendable {
    /// Something that was measured of both.
    public struct Metric: Codable, Equatable, Sendable {
        /// Such as `p99` or `messages per second`.
        public var name: String
        /// `ns` for a duration, `/s` for a rate, otherwise what stands behind the number.
        public var unit: String
        public var valueA: Double
        public var valueB: Double
        /// B by A; nil where A is 0.
        public var ratio: Double?
        /// The interval in which the ratio lies with the confidence that the report names.
        public var low: Double?
        public var high: Double?
        /// How likely a difference like this is by chance alone.
        public var p: Double?
        /// The finding, such as `B is 12 % lower` or `no difference above 3 % can be seen`.
        public var words: String
        /// The value of each block, in the order in which they were run.
        public var blocksA: [Double]
        public var blocksB: [Double]

        /// A metric.
        public init(
            name: String,
            unit: String,
            valueA: Double,
            valueB: Double,
            ratio: Double?,
            low: Double?,
            high: Double?,
            p: Double?,
            words: String,
            blocksA: [Double],
            blocksB: [Double]
        ) {
            self.name = name
            self.unit = unit
            self.valueA = valueA
            self.valueB = valueB
            self.ratio = ratio
            self.low = low
            self.high = high
            self.p = p
            self.words = words
            self.blocksA = blocksA
            self.blocksB = blocksB
        }

        enum CodingKeys: String, CodingKey {
            case name, unit
            case valueA = "value_a"
            case valueB = "value_b"
            case ratio, low, high, p, words
            case blocksA = "blocks_a"
            case blocksB = "blocks_b"
        }
    }

    public static let formatVersion = 1
    public static let kind = "a comparison"

    /// The version of this form.
    public var format = CompareReport.formatVersion
    /// On what and by which command the comparison was made.
    public var manifest: Manifest
    public var nameA: String
    public var nameB: String
    /// The confidence of the intervals: 0.95 is 95 %.
    public var confidence: Double
    public var metrics: [Metric]
    /// What came of it all, in words.
    public var words: String
    /// All blocks of each together.
    public var runA: RunReport
    public var runB: RunReport

    /// What a comparison found.
    public init(
        manifest: Manifest,
        nameA: String,
        nameB: String,
        confidence: Double = 0.95,
        metrics: [Metric],
        words: String,
        runA: RunReport,
        runB: RunReport
    ) {
        self.manifest = manifest
        self.nameA = nameA
        self.nameB = nameB
        self.confidence = confidence
        self.metrics = metrics
        self.words = words
        self.runA = runA
        self.runB = runB
    }

    enum CodingKeys: String, CodingKey {
        case format, manifest
        case nameA = "name_a"
        case nameB = "name_b"
        case confidence, metrics, words
        case runA = "run_a"
        case runB = "run_b"
    }
}

extension CompareReport.Metric {
    /// A value of this metric with its unit.
    func text(_ value: Double, micro: String) -> String {
        switch unit {
        case "ns": Figures.duration(value, micro: micro)
        case "/s": Figures.rate(value)
        case "": Figures.significant(value)
        default: "\(Figures.significant(value)) \(unit)"
        }
    }

    /// The ratio's interval, such as `0.85 to 0.91`.
    var interval: String {
        guard let low, let high else { return "-" }
        return "\(Figures.decimal(low, 3)) to \(Figures.decimal(high, 3))"
    }

    /// The figures in the order of the table's columns.
    func cells(micro: String) -> [String] {
        [
            name, text(valueA, micro: micro), text(valueB, micro: micro),
            ratio.map { Figures.decimal($0, 3) } ?? "-", interval,
            p.map { $0 < 0.001 ? "<0.001" : Figures.decimal($0, 3) } ?? "-",
        ]
    }
}

extension TextReport {
    /// A comparison in lines of at most 100 columns, but for names that are longer.
    public static func text(_ comparison: CompareReport) -> String {
        var lines = ["compare"]
        lines += named("A", comparison.nameA)
        lines += named("B", comparison.nameB)
        lines += named("load", RunWords.plan(comparison.runA.plan))
        lines.append("")
        var table = TextTable(firstColumnWidth: nameColumns)
        table.add(["", "A", "B", "B / A", "\(confidence(comparison)) interval", "p"])
        for metric in comparison.metrics { table.add(metric.cells(micro: "u")) }
        lines += table.lines + [""]
        for metric in comparison.metrics { lines += named(metric.name, metric.words) }
        lines.append("")
        for (name, run) in [("A", comparison.runA), ("B", comparison.runB)] {
            lines += named("integrity \(name)", RunWords.integrity(run.integrity))
            if run.errors.total > 0 {
                lines += named("errors \(name)", Figures.count(run.errors.total))
            }
            lines += named("audit \(name)", run.audit.verdict)
            for note in run.audit.notes { lines += named("", note, mark: "- ") }
        }
        lines += named("finding", comparison.words)
        return lines.map(\.printable).joined(separator: "\n")
    }

    /// The confidence of a comparison's intervals: `95 %`.
    static func confidence(_ comparison: CompareReport) -> String {
        "\(Figures.shortest(comparison.confidence * 100)) %"
    }
}
