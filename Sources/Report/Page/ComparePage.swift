// ComparePage: a comparison as a page: what was found, the ratio of each metric with its interval,
// both distributions over each other, and each block by itself, so that a drift of the machine, or
// one bad block that made the difference, can be seen.

import Glibc
import Load
import Measure

extension HTMLReport {
    /// The page of a comparison.
    public static func page(_ comparison: CompareReport) -> String {
        let runs = [comparison.runA, comparison.runB]
        var page = HTMLPage(
            kind: "ringload compare",
            title: "\(comparison.nameA) and \(comparison.nameB)",
            lines: [
                "A is \(comparison.nameA), B is \(comparison.nameB)",
                RunWords.plan(comparison.runA.plan), RunWords.generator(comparison.runA.plan),
                comparison.manifest.startedAt,
            ],
            version: comparison.manifest.version
        )
        let isBelievable = runs.allSatisfy { $0.audit.isValid && $0.integrity.isClean }
        page.verdict(
            isBelievable ? "Finding:" : "Not to be believed:",
            comparison.words,
            isGood: isBelievable,
            notes: notes(of: [("A is ", comparison.runA), ("B is ", comparison.runB)])
                + zip(["A", "B"], runs).filter { !$0.1.integrity.isClean }.map {
                    "\($0.0): bytes \(RunWords.integrity($0.1.integrity))"
                }
        )
        page.heading("Metrics")
        page.add(metrics(comparison))
        page.heading("Latency")
        page.paragraph(RunWords.loop(comparison.runA.plan, hasService: false))
        let distributions: [RunPlots.Named] = [
            ("A", comparison.runA.latency), ("B", comparison.runB.latency),
        ].filter { $0.latency.count > 0 }
        if let plot = RunPlots.percentiles(id: "latency", title: "By percentile", distributions) {
            page.add(plot)
            page.add(percentileTable(distributions))
        }
        let plots = comparison.metrics.enumerated().compactMap { blocks($0.element, $0.offset) }
        if !plots.isEmpty {
            page.heading("Block by block")
            page.paragraph(
                "Blocks of A and B were run in turn. A dot is a block, a broken line the value of "
                    + "all blocks together."
            )
            page.beside(plots.map(\.markup))
        }
        page.beside(zip(["A", "B"], runs).map { findings($0.0, $0.1) })
        addRepetition(comparison.manifest, to: &page)
        return page.text
    }

    // ---- metrics ----

    private static func metrics(_ comparison: CompareReport) -> String {
        let confidence = TextReport.confidence(comparison)
        let head = [
            "metric", "A", "B", "B / A", "\(confidence) interval", "p", "drawn around 1",
        ]
        let headings =
            head.map { Markup.element("th", "scope=\"col\"", text: $0) }.joined()
            + Markup.element("th", "scope=\"col\" class=\"words\"", text: "in words")
        let scale = ratioScale(comparison.metrics)
        let rows = comparison.metrics.enumerated().map { index, metric in
            let cells = metric.cells(micro: micro).enumerated().map { column, cell in
                column == 0
                    ? Markup.element("th", "scope=\"row\"", text: cell)
                    : Markup.element("td", text: cell)
            }
            return Markup.element(
                "tr",
                cells.joined() + Markup.element("td", drawn(metric, index, scale))
                    + Markup.element("td", "class=\"words\"", text: metric.words)
            )
        }
        return Markup.scrolling(
            "Metrics",
            Markup.element("caption", text: "B beside A")
                + Markup.element("thead", Markup.element("tr", headings))
                + Markup.element("tbody", rows.joined(separator: "\n"))
        )
    }

    /// How far from 1 the drawn ratios reach, as a factor.
    private static func ratioScale(_ metrics: [CompareReport.Metric]) -> Double {
        let ratios = metrics.flatMap { [$0.ratio, $0.low, $0.high].compactMap { $0 } }
            .filter { $0 > 0 && $0.isFinite }
        let widest = ratios.map { abs(log($0)) }.max() ?? 0
        // At least 5 % to either side, so that noise is not drawn as a difference; at most tenfold.
        return min(max(widest * 1.1, log(1.05)), log(10))
    }

    /// A ratio and its interval on a line of which the middle is 1. It crosses the middle where it
    /// could be that nothing differs.
    private static func drawn(
        _ metric: CompareReport.Metric,
        _ index: Int,
        _ scale: Double
    ) -> String {
        guard let ratio = metric.ratio, ratio > 0, ratio.isFinite else { return "" }
        func across(_ value: Double) -> String {
            let share = min(max(log(max(value, 1e-9)) / scale, -1), 1)
            return Markup.coordinate(75 + share * 70)
        }
        let words = "\(metric.name): B by A is \(Figures.decimal(ratio, 3))"
        var paths = "<path class=\"middle\" d=\"M75 0V20\"/>"
        var look = "s5"
        if let low = metric.low, let high = metric.high {
            look = low > 1 || high < 1 ? "s1" : "s5"
            paths += "<path class=\"line solid \(look)\" d=\"M\(across(low)) 10H\(across(high))\"/>"
        }
        paths += "<path class=\"dots \(look)\" d=\"M\(across(ratio)) 10h0\"/>"
        let names = "ratio-\(index)-title ratio-\(index)-description"
        return Markup.element(
            "svg",
            "class=\"ratio\" viewBox=\"0 0 150 20\" role=\"img\" aria-labelledby=\"\(names)\"",
            Markup.element("title", "id=\"ratio-\(index)-title\"", text: words)
                + Markup.element(
                    "desc",
                    "id=\"ratio-\(index)-description\"",
                    text: "interval \(metric.interval)"
                ) + paths
        )
    }

    // ---- blocks ----

    private static func blocks(_ metric: CompareReport.Metric, _ index: Int) -> Plot? {
        let count = max(metric.blocksA.count, metric.blocksB.count)
        guard count > 0 else { return nil }
        func dots(_ name: String, _ look: Int, _ values: [Double]) -> Series {
            Series(
                name: name,
                look: look,
                style: .dots,
                points: [],
                stops: values.enumerated().filter { $0.element.isFinite }.map {
                    .init(
                        x: Double($0.offset + 1),
                        y: $0.element,
                        words: "\(name), block \($0.offset + 1): "
                            + metric.text($0.element, micro: micro)
                    )
                }
            )
        }
        let ends = Double(count) + 0.5
        let ticks = stride(from: 1, through: count, by: max((count + 9) / 10, 1)).map {
            Axis.Tick(value: Double($0), label: "\($0)")
        }
        let values = metric.blocksA + metric.blocksB + [metric.valueA, metric.valueB]
        return Plot(
            id: "blocks-\(index)",
            title: metric.name,
            description: "\(metric.name) of each block. \(metric.words)",
            x: Axis(title: "block", scale: .linear, low: 0.5, high: ends, ticks: ticks),
            y: .around("by block", values) { metric.text($0, micro: micro) },
            series: [dots("A", 0, metric.blocksA), dots("B", 1, metric.blocksB)],
            marks: [
                Mark(place: .horizontal(metric.valueA), label: "", look: 0),
                Mark(place: .horizontal(metric.valueB), label: "", look: 1),
            ]
        )
    }

    private static func findings(_ name: String, _ run: RunReport) -> String {
        Markup.facts(
            caption: "All blocks of \(name)",
            [
                ("audit", run.audit.verdict),
                ("bytes", RunWords.integrity(run.integrity)),
                ("errors", Figures.count(run.errors.total)),
                ("messages", Figures.count(run.messages)),
                ("connect p99", Figures.duration(run.connectLatency.p99, micro: micro)),
            ]
        )
    }
}
