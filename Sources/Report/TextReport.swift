// TextReport: the figures of a run for people on a terminal. The verdict on the bytes stands beside
// the speed, and the verdict on the run itself at the end, where it is read last.

import Load

/// A run in lines of at most 100 columns.
public enum TextReport {
    /// The columns of the names before the figures.
    static let nameColumns = 11
    /// The columns of a sentence.
    private static let columns = 98

    /// The lines, without a newline at the end.
    public static func text(_ run: RunReport) -> String { lines(run).joined(separator: "\n") }

    /// The lines. Control characters, which a saved report of somebody else may have, are left out.
    public static func lines(_ run: RunReport) -> [String] {
        parts(run).map(\.printable)
    }

    private static func parts(_ run: RunReport) -> [String] {
        var lines = ["\(run.plan.workload) \(run.plan.targets.joined(separator: " "))"]
        lines += indented(RunWords.plan(run.plan), by: 2)
        lines += indented(RunWords.generator(run.plan), by: 2)
        lines.append("")
        lines += speed(run)
        lines += named("integrity", RunWords.integrity(run.integrity))
        if let fault = run.integrity.firstFault { lines += named("", "first fault: \(fault)") }
        lines += named("errors", errors(run.errors))
        lines.append("")
        lines += latencies(run)
        lines += indented(RunWords.loop(run), by: 2)
        lines.append("")
        let costs = self.costs(run)
        if !costs.isEmpty { lines += costs + [""] }
        if let network = run.network { lines += named("network", self.network(network)) }
        lines += audit(run.audit)
        return lines
    }

    // ---- speed ----

    private static func speed(_ run: RunReport) -> [String] {
        var lines: [String] = []
        if run.plan.workload != "idle" {
            var text =
                "\(Figures.count(run.messages)) in \(RunWords.window(run)): "
                + "\(Figures.decimal(run.messagesPerSecond, 0)) per second"
            if let rate = run.plan.rate { text += " of \(Figures.decimal(rate, 0)) asked" }
            lines += named("messages", text)
            lines += named(
                "bytes",
                "\(Figures.bytesPerSecond(run.bytesReceivedPerSecond)) received, "
                    + "\(Figures.bytesPerSecond(run.bytesSentPerSecond)) sent"
            )
        }
        if run.connectionsMade > 0 {
            lines += named(
                "connected",
                "\(Figures.count(run.connectionsMade)) in the window: "
                    + "\(Figures.significant(run.connectionsPerSecond)) per second"
            )
        }
        return lines
    }

    private static func errors(_ errors: LoadErrors) -> String {
        guard errors.total > 0 else { return "none" }
        return RunWords.errors(errors)
            .map { "\(Figures.count($0.count)) \($0.name)" }.joined(separator: ", ")
    }

    // ---- latency ----

    /// A distribution by itself, under the names of its figures.
    public static func lines(_ name: String, _ latency: LatencyReport) -> [String] {
        var table = TextTable(firstColumnWidth: nameColumns)
        table.add(latencyHead)
        table.add(cells(name, latency))
        return table.lines
    }

    private static let latencyHead = [
        "latency", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean",
    ]

    private static func cells(_ name: String, _ latency: LatencyReport) -> [String] {
        let durations = [
            latency.p50, latency.p90, latency.p99, latency.p999, latency.p9999, latency.max,
        ]
        return [name] + durations.map { Figures.duration($0) } + [Figures.duration(latency.mean)]
    }

    private static func latencies(_ run: RunReport) -> [String] {
        var table = TextTable(firstColumnWidth: nameColumns)
        table.add(latencyHead)
        for (name, latency) in named(latenciesOf: run) where latency.count > 0 {
            table.add(cells(name, latency))
        }
        guard run.longestSilenceNanoseconds > 0 else { return table.lines }
        let silence = Figures.duration(run.longestSilenceNanoseconds)
        return table.lines + named("silence", "at most \(silence) without a byte that was due")
    }

    /// The distributions of a run by their names.
    static func named(latenciesOf run: RunReport) -> [(name: String, latency: LatencyReport)] {
        var list: [(name: String, latency: LatencyReport)] = []
        if let service = run.serviceLatency {
            list += [("intended", run.latency), ("service", service)]
        } else {
            list.append((run.plan.workload == "idle" ? "probe" : "response", run.latency))
        }
        list.append(("connect", run.connectLatency))
        if let first = run.firstByteLatency { list.append(("first byte", first)) }
        return list
    }

    // ---- costs ----

    private static func costs(_ run: RunReport) -> [String] {
        var table = TextTable(firstColumnWidth: nameColumns)
        table.add(["per message", "CPU", "system calls", "context switches", "CPUs busy"])
        let costs = [("client", run.client), ("server", run.server ?? CostReport())]
        let known = costs.filter { $0.1 != CostReport() }
        for (name, cost) in known { table.add([name] + cells(cost, micro: "u")) }
        return known.isEmpty ? [] : table.lines
    }

    /// What a process spent, in the order of the table's columns.
    static func cells(_ cost: CostReport, micro: String) -> [String] {
        [
            cost.cpuNanosecondsPerMessage.map { Figures.duration($0, micro: micro) } ?? "-",
            cost.systemCallsPerMessage.map(Figures.significant) ?? "-",
            cost.contextSwitchesPerMessage.map(Figures.significant) ?? "-",
            cost.cpuShare.map { Figures.decimal($0, 2) } ?? "-",
        ]
    }

    private static func network(_ network: NetworkReport) -> String {
        "round trip p50 \(Figures.duration(network.roundTripMedianMicroseconds * 1000)), "
            + "max \(Figures.duration(network.roundTripLongestMicroseconds * 1000)), "
            + "\(RunWords.counted(network.retransmits, "retransmit")) "
            + "(\(RunWords.counted(network.connections, "connection")) asked)"
    }

    // ---- the run itself ----

    private static func audit(_ audit: AuditReport) -> [String] {
        var lines = named("audit", audit.verdict)
        let facts = RunWords.audit(audit).map { "\($0.name) \($0.value)" }
        if !facts.isEmpty { lines += named("", facts.joined(separator: ", ")) }
        for note in audit.notes { lines += named("", note, mark: "- ") }
        return lines
    }

    // ---- lines ----

    /// A name and what is said of it; what does not fit goes on below.
    static func named(_ name: String, _ text: String, mark: String = "") -> [String] {
        let space = String(repeating: " ", count: nameColumns + 2)
        let hanging = String(repeating: " ", count: mark.count)
        return text.wrapped(columns: columns - space.count - mark.count).enumerated().map {
            let start = $0 == 0 ? name + space.dropFirst(name.count) + mark : space + hanging
            return start + $1
        }
    }

    /// A sentence, broken into lines.
    static func indented(_ text: String, by spaces: Int) -> [String] {
        let space = String(repeating: " ", count: spaces)
        return text.wrapped(columns: columns - spaces).map { space + $0 }
    }
}
