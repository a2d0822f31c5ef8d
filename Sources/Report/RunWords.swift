// RunWords: the sentences that the text and the page both say of a run, so that they say the same.

import Load

/// What is said of a run in words.
enum RunWords {
    /// What was asked for, such as `64 connections, depth 1, 64 bytes, 50.0 k/s asked (poisson)`.
    static func plan(_ plan: PlanReport) -> String {
        var parts = [counted(UInt64(max(plan.connections, 0)), "connection")]
        if plan.workload != "idle" {
            parts.append("depth \(plan.depth)")
            parts.append("\(plan.size) bytes")
            if let rate = plan.rate {
                parts.append("open loop at \(Figures.rate(rate)), \(plan.arrivals) arrivals")
            } else {
                parts.append("closed loop")
            }
        }
        if plan.thinkNanoseconds > 0 {
            parts.append("think time \(Figures.duration(plan.thinkNanoseconds))")
        }
        return parts.joined(separator: ", ")
    }

    /// By what the load was made, such as `load by 2 workers on io_uring, seed 7`.
    static func generator(_ plan: PlanReport) -> String {
        var text = "load by \(counted(UInt64(max(plan.workers, 0)), "worker"))"
        if !plan.cpus.isEmpty {
            text += " on CPU \(plan.cpus.map(String.init).joined(separator: ","))"
        }
        return text + ", \(plan.backendExplanation), seed \(plan.seed)"
    }

    /// The window, and what ended it.
    static func window(_ run: RunReport) -> String {
        var text = Figures.decimal(Double(run.windowNanoseconds) / 1e9, 2) + " s"
        if let signal = run.endedBySignal { text += ", cut short by signal \(signal)" }
        return text
    }

    /// How the latencies are to be read, and by how much the two of an open loop differ.
    static func loop(_ run: RunReport) -> String {
        guard let service = run.serviceLatency, service.p99 > 0, run.latency.count > 0 else {
            return loop(run.plan, hasService: run.serviceLatency != nil)
        }
        let times = Double(run.latency.p99) / Double(service.p99)
        return loop(run.plan, hasService: true)
            + (times < 1.05
                ? " At p99 they agree."
                : " At p99 it is \(Figures.significant(times)) times as long.")
    }

    /// How the latencies are to be read: what the two of an open loop differ by, or what a closed
    /// loop cannot see.
    static func loop(_ plan: PlanReport, hasService: Bool) -> String {
        guard plan.isOpenLoop else {
            return "Closed loop: a server that stalls is asked less often, so its stalls count too "
                + "little in these figures. --rate measures them."
        }
        guard hasService else {
            return "Open loop: latency counts from the moment a request was due."
        }
        return "Intended latency counts from the moment a request was due, service latency from "
            + "the moment it was sent: waiting for a server that stalls is in the first alone."
    }

    /// The verdict on the bytes.
    static func integrity(_ integrity: Integrity) -> String {
        guard integrity.isClean else {
            return "WRONG: lost=\(integrity.lost) foreign=\(integrity.foreign) "
                + "reordered=\(integrity.reordered) of \(Figures.count(integrity.verifiedBytes)) "
                + "bytes checked"
        }
        guard integrity.verifiedBytes > 0 else { return "not checked (--verify checks every byte)" }
        return "every byte right: \(Figures.count(integrity.verifiedBytes)) checked, "
            + "lost=0 foreign=0 reordered=0"
    }

    /// The classes of errors that occurred, with their counts.
    static func errors(_ errors: LoadErrors) -> [(name: String, count: UInt64)] {
        errorClasses(errors).filter { $0.count > 0 }
    }

    /// Every class of errors with its count.
    static func errorClasses(_ errors: LoadErrors) -> [(name: String, count: UInt64)] {
        [
            ("connects refused", errors.refused),
            ("connects failed", errors.connectFailed),
            ("connects timed out", errors.connectTimedOut),
            ("connections reset", errors.reset),
            ("connections closed early", errors.closedEarly),
            ("requests unanswered", errors.unanswered),
            ("requests timed out", errors.timedOut),
        ]
    }

    /// The figures that the audit's verdict rests on, by name.
    static func audit(_ audit: AuditReport, micro: String = "u") -> [(name: String, value: String)]
    {
        var facts: [(name: String, value: String)] = []
        if let slip = audit.scheduleSlip, slip.count > 0 {
            facts.append(("schedule slip p99", Figures.duration(slip.p99, micro: micro)))
            facts.append(("schedule slip max", Figures.duration(slip.max, micro: micro)))
        }
        if let share = audit.cpuShare { facts.append(("worker CPU", Figures.percent(share))) }
        if let share = audit.runQueueShare {
            facts.append(("waiting for a CPU", Figures.percent(share)))
        }
        if audit.scheduleSlip != nil || audit.droppedSlots > 0 {
            facts.append(("requests never begun", Figures.count(audit.droppedSlots)))
        }
        if let bunching = audit.bunching {
            facts.append(("sent together", Figures.significant(bunching)))
        }
        return facts
    }

    /// A command that a shell takes apart as it was.
    static func shellCommand(_ words: [String]) -> String {
        words.map { word in
            let isPlain = word.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || "-_=+,./:@%".contains($0))
            }
            guard !isPlain || word.isEmpty else { return word }
            return "'"
                + word.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''") + "'"
        }.joined(separator: " ")
    }

    /// A count with its noun.
    static func counted(_ count: UInt64, _ noun: String) -> String {
        "\(Figures.count(count)) \(noun)\(count == 1 ? "" : "s")"
    }
}
