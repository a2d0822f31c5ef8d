// HTMLReport: a run as a page. First whether it can be believed, then the figures that are asked
// for first, then the pictures, and at the end all that is needed to judge and to repeat it.

import Load
import Measure

/// Reports as pages.
public enum HTMLReport {
    static let micro = "\u{b5}"

    /// The page of a run.
    public static func page(_ run: RunReport) -> String {
        var page = HTMLPage(
            kind: "ringload \(run.plan.workload)",
            title: run.plan.targets.joined(separator: ", "),
            lines: [
                RunWords.plan(run.plan) + ", " + RunWords.window(run) + " measured",
                RunWords.generator(run.plan),
                run.manifest.startedAt,
            ],
            version: run.manifest.version
        )
        addVerdict(run.audit, to: &page)
        page.headlines(headlines(run))
        addLatency(run, to: &page)
        let overTime = [RunPlots.throughput(run), RunPlots.latencyOverTime(run)].compactMap { $0 }
        if !overTime.isEmpty {
            page.heading("Over time")
            page.beside(overTime.map(\.markup))
        }
        addFindings(run, to: &page)
        addMaking(run, to: &page)
        return page.text
    }

    /// Whether a run can be believed, in front of its figures.
    static func addVerdict(_ audit: AuditReport, to page: inout HTMLPage) {
        // The verdict is `INVALID: why`; the first word is the one to be seen.
        let words = audit.verdict.split(separator: ":", maxSplits: 1)
        let rest = words.count > 1 ? ":" + words[1] : ""
        page.verdict(
            String(words.first ?? "") + rest.prefix(1),
            String(rest.dropFirst().drop { $0 == " " }),
            isGood: audit.isValid,
            notes: audit.notes
        )
    }

    // ---- the figures that are read first ----

    private static func headlines(_ run: RunReport) -> [HTMLPage.Headline] {
        let latency = run.serviceLatency == nil ? "latency" : "intended latency"
        let asked = run.plan.rate.map { "of \(Figures.rate($0)) asked" }
        var list: [HTMLPage.Headline] = []
        if run.plan.workload != "idle" {
            list.append(
                .init(
                    name: "Throughput",
                    value: Figures.rate(run.messagesPerSecond),
                    note: asked ?? Figures.bytesPerSecond(run.bytesReceivedPerSecond) + " received"
                )
            )
        }
        if run.connectionsMade > 0 {
            list.append(
                .init(
                    name: "Connections",
                    value: Figures.rate(run.connectionsPerSecond),
                    note: "\(Figures.count(run.connectionsMade)) made"
                )
            )
        }
        if run.latency.count > 0 {
            for (name, value) in [
                ("p50", run.latency.p50), ("p99", run.latency.p99), ("max", run.latency.max),
            ] {
                list.append(
                    .init(name: name, value: Figures.duration(value, micro: micro), note: latency)
                )
            }
        }
        let integrity = run.integrity
        let isChecked = integrity.verifiedBytes > 0 || !integrity.isClean
        list.append(
            .init(
                name: "Bytes",
                value: !isChecked ? "unchecked" : integrity.isClean ? "all right" : "wrong",
                note: !isChecked
                    ? "--verify checks each"
                    : Figures.bytes(Double(integrity.verifiedBytes)) + " checked",
                mood: !isChecked ? .plain : integrity.isClean ? .good : .bad
            )
        )
        list.append(
            .init(
                name: "Errors",
                value: Figures.count(run.errors.total),
                note: RunWords.errors(run.errors).max { $0.count < $1.count }
                    .map { "most: \($0.name)" } ?? "of any class",
                mood: run.errors.total > 0 ? .bad : .plain
            )
        )
        return list
    }

    // ---- latency ----

    private static func addLatency(_ run: RunReport, to page: inout HTMLPage) {
        let distributions = TextReport.named(latenciesOf: run).filter { $0.latency.count > 0 }
        guard !distributions.isEmpty else { return }
        page.heading("Latency")
        page.paragraph(RunWords.loop(run))
        // Connecting and first bytes are few, and of another kind: they are in the table alone.
        let curves = distributions.filter { !["connect", "first byte"].contains($0.name) }
        if let plot = RunPlots.percentiles(id: "latency", title: "By percentile", curves) {
            page.add(plot)
        }
        page.add(percentileTable(distributions))
        if run.longestSilenceNanoseconds > 0 {
            page.paragraph(
                "The longest time without a byte that was due: "
                    + "\(Figures.duration(run.longestSilenceNanoseconds, micro: micro))."
            )
        }
    }

    /// Percentiles in rows, distributions in columns.
    static func percentileTable(_ distributions: [RunPlots.Named]) -> String {
        func row(_ name: String, _ value: (LatencyReport) -> String) -> [String] {
            [name] + distributions.map { value($0.latency) }
        }
        func duration(_ value: UInt64) -> String { Figures.duration(value, micro: micro) }
        return Markup.table(
            caption: "Percentiles",
            head: ["percentile"] + distributions.map(\.name),
            rows: [
                row("p50") { duration($0.p50) },
                row("p90") { duration($0.p90) },
                row("p99") { duration($0.p99) },
                row("p99.9") { duration($0.p999) },
                row("p99.99") { duration($0.p9999) },
                row("max") { duration($0.max) },
                row("mean") { Figures.duration($0.mean, micro: micro) },
                row("measured") { Figures.count($0.count) },
            ]
        )
    }

    // ---- what was found besides ----

    private static func addFindings(_ run: RunReport, to page: inout HTMLPage) {
        page.heading("What came of it")
        var bytes: [(name: String, value: String)] = [
            ("received", Figures.bytesPerSecond(run.bytesReceivedPerSecond)),
            ("sent", Figures.bytesPerSecond(run.bytesSentPerSecond)),
            ("checked and right", Figures.bytes(Double(run.integrity.verifiedBytes))),
            ("lost", Figures.count(run.integrity.lost)),
            ("foreign", Figures.count(run.integrity.foreign)),
            ("reordered", Figures.count(run.integrity.reordered)),
        ]
        if let fault = run.integrity.firstFault { bytes.append(("first fault", fault)) }
        let errors = RunWords.errorClasses(run.errors).map {
            (name: $0.name, value: Figures.count($0.count))
        }
        page.beside(
            [
                Markup.facts(caption: "Bytes", bytes),
                Markup.facts(caption: "Errors", errors),
                Markup.facts(caption: "Network", network(run.network)),
                Markup.facts(
                    caption: "The load generator itself",
                    RunWords.audit(run.audit, micro: micro)
                ),
            ],
            areNarrow: true
        )
        page.add(costs(run))
    }

    private static func network(_ network: NetworkReport?) -> [(name: String, value: String)] {
        guard let network else { return [] }
        func duration(_ microseconds: Double) -> String {
            Figures.duration(microseconds * 1000, micro: micro)
        }
        return [
            ("round trip p50", duration(network.roundTripMedianMicroseconds)),
            ("round trip max", duration(network.roundTripLongestMicroseconds)),
            ("retransmits", Figures.count(network.retransmits)),
            ("connections asked", Figures.count(network.connections)),
        ]
    }

    private static func costs(_ run: RunReport) -> String {
        let costs = [("client", run.client), ("server", run.server ?? CostReport())]
            .filter { $0.1 != CostReport() }
        guard !costs.isEmpty else { return "" }
        return Markup.table(
            caption: "Cost of a message",
            head: ["side", "CPU time", "system calls", "context switches", "CPUs busy"],
            rows: costs.map { [$0.0] + TextReport.cells($0.1, micro: micro) }
        )
    }

    // ---- how it was made ----

    private static func addMaking(_ run: RunReport, to page: inout HTMLPage) {
        page.heading("To repeat it")
        page.command(run.manifest.command)
        page.beside(
            [
                Markup.facts(caption: "The plan", plan(run.plan)),
                Markup.facts(caption: "The host", host(run.manifest)),
            ]
        )
    }

    private static func plan(_ plan: PlanReport) -> [(name: String, value: String)] {
        var facts: [(name: String, value: String)] = [
            ("workload", plan.workload),
            ("targets", plan.targets.joined(separator: ", ")),
            ("connections", Figures.count(UInt64(max(plan.connections, 0)))),
            ("size", "\(plan.size) bytes"),
            ("depth", "\(plan.depth)"),
            ("arrivals", plan.arrivals),
        ]
        if let rate = plan.rate { facts.append(("rate", "\(Figures.decimal(rate, 0)) per second")) }
        if plan.thinkNanoseconds > 0 {
            facts.append(("think time", Figures.duration(plan.thinkNanoseconds, micro: micro)))
        }
        facts.append(("warm-up", Figures.duration(plan.warmupNanoseconds, micro: micro)))
        if let duration = plan.durationNanoseconds {
            facts.append(("duration", Figures.duration(duration, micro: micro)))
        }
        if let count = plan.count { facts.append(("messages", Figures.count(count))) }
        facts += [
            ("verify", plan.verifies ? "every byte" : "no"),
            ("workers", "\(plan.workers)"),
            (
                "pinned to",
                plan.cpus.isEmpty
                    ? "no CPU" : "CPU " + plan.cpus.map(String.init).joined(separator: ", ")
            ),
            ("kernel interface", plan.backendExplanation),
            ("seed", "\(plan.seed)"),
        ]
        return facts
    }

    /// The facts of a host, in the order of their names.
    static func host(_ manifest: Manifest) -> [(name: String, value: String)] {
        [("started", manifest.startedAt), ("ringload", manifest.version)]
            + manifest.host.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
