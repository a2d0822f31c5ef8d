// The audit: whether a run can be believed. A load generator that is late, or short of a CPU,
// measures itself; then the run is INVALID, and says why. What does not spoil the figures, and yet
// should be known by whoever reads them, is a note.

import Load
import Measure

extension AuditReport {
    /// Late starts up to here are ordinary: a thread has to wake first.
    private static let slipFloorNanoseconds: UInt64 = 1_000_000
    /// Requests that may have been due without ever beginning, as a share of all that were due.
    private static let droppedShareMax = 0.01
    /// Beyond this share a worker has no time to spare, and sends when it can, not when it should.
    private static let cpuShareMax = 0.95
    private static let runQueueShareMax = 0.1

    /// The audit of a run.
    init(_ plan: LoadPlan, _ outcome: LoadOutcome) {
        let total = outcome.total
        let workerTime = Double(outcome.windowNanoseconds) * Double(plan.workerCount)
        func share(_ nanoseconds: UInt64?) -> Double? {
            guard let nanoseconds, workerTime > 0 else { return nil }
            return Double(nanoseconds) / workerTime
        }
        // What went into looking for events (--busy-poll) was there to be had.
        cpuShare = share(
            outcome.client.cpuNanoseconds.map { $0 - min($0, total.lookedNanoseconds) }
        )
        runQueueShare = share(outcome.client.runQueueNanoseconds)
        droppedSlots = total.droppedSlots
        bunching = total.batches.typical
        if plan.arrivals.isOpen { scheduleSlip = LatencyReport(total.slip) }
        let faults =
            plan.arrivals.isOpen ? AuditReport.faults(plan, total, cpuShare, runQueueShare) : []
        isValid = faults.isEmpty
        verdict = isValid ? "VALID" : "INVALID: " + faults.joined(separator: "; ")
        notes = AuditReport.notes(plan, outcome, cpuShare, runQueueShare)
    }

    /// Why the figures of an open loop are not what they claim to be. A closed loop claims no
    /// moments: there a slow generator shows in its rate, and is noted.
    private static func faults(
        _ plan: LoadPlan,
        _ total: Interval,
        _ cpuShare: Double?,
        _ runQueueShare: Double?
    ) -> [String] {
        guard case .open(let perSecond, _) = plan.arrivals else { return [] }
        var faults: [String] = []
        let due = Double(total.messages + total.droppedSlots)
        if Double(total.droppedSlots) > due * droppedShareMax {
            faults.append(
                "the rate of \(whole(perSecond)) per second could not be reached: "
                    + "\(total.droppedSlots) of \(whole(due)) requests never began, since every "
                    + "connection was still waiting for a response"
            )
        }
        let slip = total.slip.value(atPercentile: 99)
        if slip > max(slipFloorNanoseconds, total.latency.value(atPercentile: 99) / 4) {
            faults.append(
                "1 % of the requests left more than \(slip / 1000) us late, held back by nothing "
                    + "but the load generator"
            )
        }
        if let cpuShare, cpuShare > cpuShareMax {
            faults.append("the load generator used \(percent(cpuShare)) of its CPUs; add --workers")
        }
        if let runQueueShare, runQueueShare > runQueueShareMax {
            faults.append(
                "the load generator waited for a CPU \(percent(runQueueShare)) of the time; give "
                    + "it CPUs of its own (--cpus)"
            )
        }
        let expected = 1 + perSecond / Double(plan.workerCount) / 1000
        if let typical = total.batches.typical, typical > 4 * expected {
            faults.append(
                "requests left in bunches of \(whole(typical)), where at most \(whole(expected)) "
                    + "are due in a millisecond"
            )
        }
        return faults
    }

    private static func notes(
        _ plan: LoadPlan,
        _ outcome: LoadOutcome,
        _ cpuShare: Double?,
        _ runQueueShare: Double?
    ) -> [String] {
        var notes: [String] = []
        if !plan.arrivals.isOpen, plan.workload.isRequests {
            if let cpuShare, cpuShare > cpuShareMax {
                notes.append(
                    "The load generator used \(percent(cpuShare)) of its CPUs: the rate may be its "
                        + "own limit, not the server's."
                )
            }
            if let runQueueShare, runQueueShare > runQueueShareMax {
                notes.append(
                    "The load generator waited for a CPU \(percent(runQueueShare)) of the time, "
                        + "and that is part of the latencies."
                )
            }
        }
        if let note = sharedCPUs(plan, outcome) { notes.append(note) }
        let unanswered = outcome.total.errors.unanswered + outcome.total.errors.timedOut
        if unanswered > 0 {
            notes.append("\(unanswered) requests had no response; no percentile includes them.")
        }
        return notes
    }

    /// Whether load and server may run on the same CPUs.
    private static func sharedCPUs(_ plan: LoadPlan, _ outcome: LoadOutcome) -> String? {
        guard let server = outcome.server else { return nil }
        let own = plan.cpus.isEmpty ? outcome.client.cpus : Set(plan.cpus)
        let shared = own.intersection(server.cpus).sorted()
        guard !shared.isEmpty else { return nil }
        let list = shared.map(String.init).joined(separator: ", ")
        return "Load and server may run on the same CPUs (\(list)): each slows the other. Pin them "
            + "apart (taskset, --cpus)."
    }

    private static func percent(_ share: Double) -> String { "\(whole(share * 100)) %" }

    private static func whole(_ value: Double) -> String {
        String(Int(min(value, 1e15).rounded()))
    }
}

extension Workload {
    /// Whether it consists of requests and responses.
    fileprivate var isRequests: Bool {
        if case .stream = self { false } else { true }
    }
}

extension CostReport {
    /// - Parameter seconds: the length of the window.
    init(_ cost: Cost, _ messages: UInt64, seconds: Double) {
        func perMessage(_ count: UInt64?) -> Double? {
            guard let count, messages > 0 else { return nil }
            return Double(count) / Double(messages)
        }
        cpuNanosecondsPerMessage = perMessage(cost.cpuNanoseconds)
        systemCallsPerMessage = perMessage(cost.systemCalls)
        contextSwitchesPerMessage = perMessage(cost.contextSwitches)
        cpuShare = cost.cpuNanoseconds.map { Double($0) / 1e9 / seconds }
    }
}
