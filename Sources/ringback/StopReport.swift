// What the server says of its work: when it stops, and when it is asked (SIGUSR1).

import Admin
import Engine

/// The counts of all workers of a service in one line.
struct StopReport {
    let line: String

    init(_ service: ServiceReading) {
        let sum = service.workers.reduce(into: Counters()) { $0.add($1.counters) }
        var parts = Counters.fields.map { "\($0.name)=\(sum[keyPath: $0.path])" }
        parts += service.counts.map { "\($0.name)=\($0.value)" }
        // By the upstream's place: a name may have any form.
        for (number, upstream) in service.upstreams.enumerated() {
            parts += upstream.counts.map { "upstream\(number)_\($0.name)=\($0.value)" }
        }
        // A turn is one io_uring_enter or one epoll_wait. Under load it serves many messages.
        let isUring = service.workers.contains { $0.backend == .uring }
        let name = isUring ? "enters_per_receive" : "waits_per_receive"
        parts.append("\(name)=\(StopReport.ratio(sum.turns, sum.receives))")
        parts.append("ends: " + (sum.terminations.total == 0 ? "none" : sum.terminations.summary))
        line = parts.joined(separator: " ")
    }

    /// A quotient with three decimals, or "none".
    private static func ratio(_ dividend: UInt64, _ divisor: UInt64) -> String {
        guard divisor > 0 else { return "none" }
        let thousandths = dividend * 1000 / divisor
        let decimals = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - decimals.count)
            + decimals
    }
}
