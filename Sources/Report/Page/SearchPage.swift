// SearchPage: a search as a page: the answer, the curve that it lies on, and the runs behind it.

import Load
import Measure

extension HTMLReport {
    /// The page of a search.
    public static func page(_ search: SearchReport) -> String {
        let plan = search.steps.first?.run.plan
        var page = HTMLPage(
            kind: "ringload search",
            title: plan?.targets.joined(separator: ", ") ?? "",
            lines: [
                "the highest rate at which \(search.limit)", plan.map(RunWords.generator) ?? "",
                search.manifest.startedAt,
            ],
            version: search.manifest.version
        )
        page.verdict(
            (search.answerPerSecond.map(Figures.rate) ?? "No rate") + ":",
            search.answer,
            isGood: search.answerPerSecond != nil,
            notes: notes(
                of: search.steps.map { step in
                    let rate = step.rateAsked.map(Figures.rate) ?? "all that goes"
                    return ("the step at \(rate) is ", step.run)
                }
            )
        )
        page.heading("Latency by rate")
        if let plot = curve(search) { page.add(plot) }
        page.add(
            Markup.table(
                caption: "Steps in their order",
                head: [
                    "asked", "achieved", "p50", Figures.percentile(search.limitPercentile), "max",
                    "errors", "limit", "run",
                ],
                rows: search.steps.map {
                    TextReport.cells($0, search.limitPercentile, micro: micro)
                },
                badWords: ["missed", "INVALID"]
            )
        )
        let distributions = chosen(search)
        if let plot = RunPlots.percentiles(id: "latency", title: "By percentile", distributions) {
            page.heading("Latency")
            page.add(plot)
            page.add(percentileTable(distributions))
        }
        addRepetition(search.manifest, to: &page)
        return page.text
    }

    /// How a page ends that is not of one run: the command, and the host.
    static func addRepetition(_ manifest: Manifest, to page: inout HTMLPage) {
        page.heading("To repeat it")
        page.command(manifest.command)
        page.beside([Markup.facts(caption: "The host", host(manifest))])
    }

    /// What must be known of some runs: which of them cannot be believed, and what their notes say,
    /// each once.
    static func notes(of runs: [(name: String, run: RunReport)]) -> [String] {
        var notes: [String] = []
        for (name, run) in runs {
            let verdicts = run.audit.isValid ? [] : [name + run.audit.verdict]
            for note in verdicts + run.audit.notes where !notes.contains(note) {
                notes.append(note)
            }
        }
        return notes
    }

    private static func curve(_ search: SearchReport) -> Plot? {
        let points = search.curve
        guard let fastest = points.last else { return nil }
        let name = Figures.percentile(search.limitPercentile)
        func stops(_ points: [SearchReport.Point]) -> [Series.Stop] {
            points.map { point in
                .init(
                    x: point.rate,
                    y: Double(point.nanoseconds),
                    words: "\(Figures.rate(point.rate)): \(name) "
                        + Figures.duration(point.nanoseconds, micro: micro)
                )
            }
        }
        var marks: [Mark] = []
        if let limit = search.limitNanoseconds {
            marks.append(Mark(place: .horizontal(Double(limit)), label: search.limit))
        }
        if let answer = search.answerPerSecond {
            marks.append(
                Mark(place: .vertical(answer), label: "answer \(Figures.rate(answer))", look: 2)
            )
        }
        if let knee = search.knee {
            marks.append(
                Mark(
                    place: .point(x: knee.rate, y: Double(knee.nanoseconds)),
                    label: "knee \(Figures.rate(knee.rate))",
                    look: 3
                )
            )
        }
        let durations = points.map { Double($0.nanoseconds) }
        let limit = search.limitNanoseconds.map { [Double($0)] } ?? []
        return Plot(
            id: "curve",
            title: "\(name) by achieved rate",
            description: "\(name) latency of \(points.count) runs by the rate that they achieved. "
                + search.answer,
            x: .fromZero(
                "achieved, per second",
                upTo: max(fastest.rate, search.answerPerSecond ?? 0),
                RunPlots.rateLabel
            ),
            y: .durations("\(name) latency, logarithmic", durations + limit),
            series: [
                Series(
                    name: "",
                    look: 0,
                    points: points.map { .init(x: $0.rate, y: Double($0.nanoseconds)) }
                ),
                Series(
                    name: "kept",
                    look: 0,
                    style: .dots,
                    points: [],
                    stops: stops(points.filter(\.kept))
                ),
                Series(
                    name: "missed",
                    look: 1,
                    style: .dots,
                    points: [],
                    stops: stops(points.filter { !$0.kept })
                ),
            ].filter { $0.style != .dots || !$0.stops.isEmpty },
            marks: marks
        )
    }

    /// Up to five distributions from the slowest to the fastest step, evenly chosen: more curves
    /// over each other could not be told apart.
    private static func chosen(_ search: SearchReport) -> [RunPlots.Named] {
        let steps = search.steps.filter { $0.run.latency.count > 0 }
            .sorted { $0.run.messagesPerSecond < $1.run.messagesPerSecond }
        let count = min(steps.count, 5)
        guard count > 1 else {
            return steps.map { (Figures.rate($0.run.messagesPerSecond), $0.run.latency) }
        }
        return (0..<count).map { index in
            let step = steps[index * (steps.count - 1) / (count - 1)]
            return (Figures.rate(step.run.messagesPerSecond), step.run.latency)
        }
    }
}
