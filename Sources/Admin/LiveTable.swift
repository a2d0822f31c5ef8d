// LiveTable: a process that runs as a table for a terminal: each service and each of its workers,
// what it has now and what it did in each second since it was last looked at.

import FoundationEssentials

/// Looks at a process again and again.
public struct LiveTable {
    private let reader: StatusReader
    private var last: StatusDocument?

    /// A table of the process that has its admin endpoint at an address.
    public init(_ address: AdminAddress) { reader = StatusReader(address: address) }

    /// The table as it is now, line by line. The first has no rates yet.
    public mutating func next() throws(AdminError) -> [String] {
        let document = try reader.read()
        defer { last = document }
        return LiveTable.lines(document, since: last)
    }

    /// What follows from two documents of one process.
    static func lines(_ now: StatusDocument, since before: StatusDocument?) -> [String] {
        // Another process may have taken over: then its counts have nothing to do with those.
        let before = before?.startedAtSeconds == now.startedAtSeconds ? before : nil
        let seconds = before.map { now.readAtSeconds - $0.readAtSeconds } ?? 0
        var rows = [head]
        for service in now.services {
            let earlier = before?.services.first { $0.name == service.name }
            rows.append(
                row(
                    [service.name, "all", ""],
                    service.connections,
                    service.connectionsMax,
                    Rates(service.counters, earlier?.counters, seconds)
                )
            )
            for worker in service.workers {
                let same = earlier?.workers.first {
                    $0.number == worker.number && $0.backend == worker.backend
                }
                rows.append(
                    row(
                        ["", "\(worker.number)", worker.backend],
                        worker.connections,
                        worker.connectionsMax,
                        Rates(worker.counters, same?.counters, seconds)
                    )
                )
            }
        }
        let upstreams = now.services.flatMap { service in
            service.upstreams.map { upstream in
                [
                    service.name, upstream.target, upstream.up ? "up" : "DOWN",
                    "\(upstream.connections)",
                ]
            }
        }
        return [summary(now, before, seconds), ""] + aligned(rows, textColumns: 3)
            + (upstreams.isEmpty
                ? []
                : [""]
                    + aligned(
                        [["service", "upstream", "state", "connections"]] + upstreams,
                        textColumns: 3
                    ))
    }

    // ---- the process ----

    private static func summary(
        _ now: StatusDocument,
        _ before: StatusDocument?,
        _ seconds: Double
    ) -> String {
        var parts = ["ringback \(now.version)", now.state.rawValue]
        parts.append("up \(duration(now.readAtSeconds - now.startedAtSeconds))")
        if now.state == .draining { parts.append("\(now.drainingConnections) connections left") }
        if let process = now.process {
            if let earlier = before?.process, seconds > 0 {
                let share = (process.processorSeconds - earlier.processorSeconds) / seconds
                parts.append("CPU \(Int((share * 100).rounded())) %")
            }
            parts.append("\(process.residentBytes >> 20) MiB")
            parts.append("\(process.openDescriptors) of \(process.descriptorsMax) descriptors")
        }
        return parts.joined(separator: ", ")
    }

    private static func duration(_ seconds: Double) -> String {
        let whole = Int(max(0, seconds))
        let (days, hours, minutes) = (whole / 86400, whole / 3600 % 24, whole / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        return minutes > 0 ? "\(minutes) min \(whole % 60) s" : "\(whole) s"
    }

    // ---- the rows ----

    private static let counted = ["accepted", "receives", "bytes_received", "bytes_sent"]
    private static let strains = ["starved", "throttled", "accept_failures"]
    private static let head = [
        "service", "worker", "backend", "connections", "accepts/s", "receives/s", "in/s", "out/s",
        "starved/s", "throttled/s", "accept failures/s",
    ]

    /// What was done in each second; nil where nobody knows yet.
    private struct Rates {
        private let perSecond: [String: Double]?

        init(_ now: [String: UInt64], _ before: [String: UInt64]?, _ seconds: Double) {
            guard let before, seconds > 0 else {
                perSecond = nil
                return
            }
            perSecond = now.reduce(into: [:]) { rates, count in
                let earlier = before[count.key] ?? 0
                rates[count.key] = Double(count.value &- min(count.value, earlier)) / seconds
            }
        }

        func text(_ name: String) -> String {
            guard let rate = perSecond?[name] else { return "-" }
            return name.hasPrefix("bytes") ? Rates.bytes(rate) : Rates.short(rate)
        }

        /// Three digits that count, so that columns stay narrow.
        private static func short(_ rate: Double) -> String {
            if rate > 0, rate < 10 { return "\((rate * 10).rounded() / 10)" }
            let steps: [(Double, String)] = [(1e9, "G"), (1e6, "M"), (1e4, "k")]
            guard let (_, unit) = steps.first(where: { rate >= $0.0 }) else {
                return "\(Int(rate.rounded()))"
            }
            let divisor = unit == "k" ? 1e3 : unit == "M" ? 1e6 : 1e9
            return "\((rate / divisor * 10).rounded() / 10)\(unit)"
        }

        private static func bytes(_ rate: Double) -> String {
            let units = ["B", "kB", "MB", "GB"]
            var (value, place) = (rate, 0)
            while value >= 1000, place < units.count - 1 {
                (value, place) = (value / 1000, place + 1)
            }
            let isWhole = value >= 100 || place == 0
            let digits = isWhole ? "\(Int(value.rounded()))" : "\((value * 10).rounded() / 10)"
            return "\(digits) \(units[place])"
        }
    }

    private static func row(
        _ names: [String],
        _ connections: Int,
        _ connectionsMax: Int,
        _ rates: Rates
    ) -> [String] {
        // Earlier generations have connections and take no more.
        let room = connectionsMax > 0 ? "\(connections) of \(connectionsMax)" : "\(connections)"
        return names + [room] + (counted + strains).map(rates.text)
    }

    /// Columns under each other: text to the left, numbers to the right.
    private static func aligned(_ rows: [[String]], textColumns: Int) -> [String] {
        let widths = rows[0].indices.map { column in
            rows.reduce(0) { max($0, $1[column].count) }
        }
        return rows.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column < textColumns ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
    }
}
