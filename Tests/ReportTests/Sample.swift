// Sample: runs as the load generator would report them, from latencies that are worked out instead
// of drawn, so that every test sees the same figures.

import Load
import Measure
import Report

/// Reports for the tests.
enum Sample {
    /// Text that is markup to a browser, a formula to a spreadsheet, and two words to a shell.
    static let hostile = "<b onload=\"x()\">&'; \u{1b}[31m,\"q\""

    /// A run in a closed loop.
    static func closed() -> RunReport {
        var run = RunReport(manifest: manifest, plan: plan())
        fill(&run, latency(base: 41_000, tail: 1.9))
        run.client = CostReport(cpuNanosecondsPerMessage: 812, systemCallsPerMessage: 0.13)
        return run
    }

    /// A run in an open loop, whose server stalls for a moment at every 2000th request.
    static func open(rate: Double = 50_000, stall: UInt64 = 42_000_000) -> RunReport {
        var plan = plan()
        plan.arrivals = "poisson"
        plan.rate = rate
        plan.verifies = true
        var run = RunReport(manifest: manifest, plan: plan)
        var intended = latency(base: 44_000, tail: 1.9)
        for index in 0..<6000 { intended.record(stall * UInt64(6000 - index) / 6000 + 44_000) }
        fill(&run, intended)
        run.messagesPerSecond = rate * 0.9996
        var service = latency(base: 41_000, tail: 1.9)
        for _ in 0..<50 { service.record(stall) }
        run.serviceLatency = LatencyReport(service)
        run.firstByteLatency = LatencyReport(latency(base: 90_000, tail: 1.2, count: 64))
        run.longestSilenceNanoseconds = stall
        run.integrity.verifiedBytes = 31_998_720
        run.client = CostReport(
            cpuNanosecondsPerMessage: 812.4,
            systemCallsPerMessage: 0.131,
            contextSwitchesPerMessage: 0.0102,
            cpuShare: 0.81
        )
        run.server = CostReport(cpuNanosecondsPerMessage: 1640, cpuShare: 0.97)
        run.network = NetworkReport(
            connections: 64,
            roundTripMedianMicroseconds: 21,
            roundTripLongestMicroseconds: 380,
            retransmits: 0
        )
        run.audit.scheduleSlip = LatencyReport(latency(base: 900, tail: 1.1))
        run.audit.cpuShare = 0.41
        run.audit.runQueueShare = 0.003
        run.audit.bunching = 1.2
        run.audit.notes = [
            "generator and server share the CPUs 0 and 1: each takes time from the other, so "
                + "compare runs on this machine with each other only"
        ]
        return run
    }

    /// A run that must not be believed, with errors of every class and wrong bytes.
    static func invalid() -> RunReport {
        var run = open()
        run.audit.isValid = false
        run.audit.verdict = "INVALID: the workers had no CPU for 12 % of the window"
        run.audit.notes.append("41 requests that were due never began")
        run.audit.droppedSlots = 41
        run.errors.refused = 3
        run.errors.connectFailed = 1
        run.errors.connectTimedOut = 2
        run.errors.reset = 12
        run.errors.closedEarly = 4
        run.errors.unanswered = 17
        run.errors.timedOut = 1200
        run.integrity.lost = 64
        run.integrity.firstFault = "connection 3, offset 12800: 64 bytes are missing"
        run.endedBySignal = 2
        return run
    }

    static let manifest = Manifest(
        command: [
            "ringload", "rr", "127.0.0.1:8888", "--connections", "64", "--rate", "50000", "--seed",
            "7", "--server-metrics", "http://127.0.0.1:9100/metrics?a=1&b=it's",
        ],
        version: "0.9.0",
        startedAt: "2026-11-25T14:03:05Z",
        host: [
            "kernel": "6.12.48+deb13-amd64",
            "cpu_model": "AMD EPYC 7B13",
            "cpus": "2",
            "governor": "performance",
            "net.core.somaxconn": "4096",
            "mitigations": "spectre_v2: Mitigation: Retpolines; IBPB: conditional",
        ]
    )

    static func plan() -> PlanReport {
        PlanReport(
            workload: "rr",
            targets: ["127.0.0.1:8888"],
            connections: 64,
            workers: 2,
            cpus: [0, 1],
            backend: "uring",
            backendExplanation: "io_uring (chosen: the kernel has all that it needs)",
            size: "64",
            warmupNanoseconds: 1_000_000_000,
            durationNanoseconds: 10_000_000_000,
            seed: 7
        )
    }

    /// Durations from `base` nanoseconds up: at the share q of all, base / (1 - q)^(tail / 10).
    static func latency(base: Double, tail: Double, count: Int = 50_000) -> Latency {
        var latency = Latency()
        for index in 0..<count {
            var left = Double(count) / Double(count - index)
            var factor = 1.0
            while left > 1.25 {
                left /= 1.25
                factor *= 1 + 0.0223 * tail
            }
            latency.record(UInt64(base * factor * (1 + (left - 1) * 0.0223 * tail * 4)))
        }
        return latency
    }

    private static func fill(_ run: inout RunReport, _ latency: Latency) {
        run.latency = LatencyReport(latency)
        run.connectLatency = LatencyReport(Sample.latency(base: 62_000, tail: 1.4, count: 64))
        run.windowNanoseconds = 10_000_000_000
        run.messages = 499_800
        run.messagesPerSecond = 49_980
        run.bytesReceivedPerSecond = 3_198_720
        run.bytesSentPerSecond = 3_198_720
        run.intervals = (0..<10).map { index in
            let isStalled = index == 6
            return IntervalReport(
                startNanoseconds: UInt64(index) * 1_000_000_000,
                durationNanoseconds: 1_000_000_000,
                messages: 49_980,
                messagesPerSecond: 49_980 * (isStalled ? 0.82 : 1 + 0.01 * Double(index % 3)),
                bytesReceivedPerSecond: 3_198_720,
                p50: 44_000 + UInt64(index % 4) * 900,
                p99: isStalled ? 31_000_000 : 120_000 + UInt64(index % 3) * 7000,
                max: isStalled ? 42_000_000 : 900_000 + UInt64(index * 37 % 11) * 40_000,
                errors: isStalled ? 2 : 0
            )
        }
    }
}
