// Sample+Several: a search and a comparison, as they would be reported.

import Load
import Measure
import Report

extension Sample {
    /// A search whose server bends at 60,000 per second, and breaks at 80,000.
    static func search() -> SearchReport {
        let rates: [(rate: Double, factor: Double)] = [
            (10_000, 1), (40_000, 1.2), (80_000, 60), (60_000, 2.1), (70_000, 9), (65_000, 4.2),
            (67_500, 6),
        ]
        let steps = rates.map { rate, factor in
            var plan = plan()
            plan.rate = rate
            plan.arrivals = "poisson"
            var run = RunReport(manifest: manifest, plan: plan)
            let latency = latency(base: 41_000 * factor, tail: 1.9, count: 5000)
            run.latency = LatencyReport(latency)
            run.serviceLatency = run.latency
            run.messagesPerSecond = min(rate, 78_000)
            if rate == 80_000 {
                run.errors.timedOut = 12
                run.audit.isValid = false
                run.audit.verdict = "INVALID: 4 % of the requests never began"
            }
            return SearchReport.Step(rateAsked: rate, run: run, kept: rate < 70_000)
        }
        return SearchReport(
            manifest: manifest,
            limit: "p99 <= 700 us",
            limitNanoseconds: 700_000,
            steps: steps,
            answerPerSecond: 67_500,
            answer: "67,500 per second keep the limit in 3 of 3 runs, 70,000 in 0 of 3"
        )
    }

    /// A comparison of two servers, of which B has the shorter tail.
    static func compare() -> CompareReport {
        var runB = open()
        runB.latency = LatencyReport(latency(base: 40_000, tail: 1.6))
        let wave = [1.0, 0.98, 1.03, 1.01, 0.97, 1.02, 0.99, 1.0]
        return CompareReport(
            manifest: manifest,
            nameA: "127.0.0.1:8888 (epoll)",
            nameB: "127.0.0.1:8889 (io_uring)",
            metrics: [
                CompareReport.Metric(
                    name: "messages per second",
                    unit: "/s",
                    valueA: 50_000,
                    valueB: 50_400,
                    ratio: 1.008,
                    low: 0.984,
                    high: 1.031,
                    p: 0.41,
                    words: "no difference above 3 % can be seen",
                    blocksA: wave.map { $0 * 50_000 },
                    blocksB: wave.reversed().map { $0 * 50_400 }
                ),
                CompareReport.Metric(
                    name: "p99",
                    unit: "ns",
                    valueA: 121_000,
                    valueB: 102_000,
                    ratio: 0.843,
                    low: 0.81,
                    high: 0.871,
                    p: 0.0002,
                    words: "B is 16 % lower",
                    blocksA: wave.map { $0 * 121_000 },
                    blocksB: wave.reversed().map { $0 * 102_000 }
                ),
                CompareReport.Metric(
                    name: "errors",
                    unit: "",
                    valueA: 0,
                    valueB: 0,
                    ratio: nil,
                    low: nil,
                    high: nil,
                    p: nil,
                    words: "none in either",
                    blocksA: [],
                    blocksB: []
                ),
            ],
            words: "B has a p99 that is 16 % lower; the rates do not differ.",
            runA: open(),
            runB: runB
        )
    }
}
