// Comparing: the blocks of a comparison, one after the other, and the metrics that they give.

import Engine
import Load
import Measure
import Net
import Options
import Report

/// A comparison under way.
struct Comparing {
    /// One of the two, and the load for it.
    struct Side {
        let server: ComparedServer
        let plan: LoadPlan
        let explanation: String
        /// What each block measured, and all of them together.
        var blocks: [LoadOutcome] = []
        var sum = LoadOutcome()
    }

    private var a: Side
    private var b: Side
    private let manifest: Manifest
    /// The signal that ended it early.
    private(set) var signal: Int32?
    private var comparison: Comparison?

    init(a: Side, b: Side, manifest: Manifest) {
        self.a = a
        self.b = b
        self.manifest = manifest
    }

    /// Measures so many pairs of blocks, or as many as a signal lets it.
    mutating func measure(pairs: Int) throws {
        var progress = Progress()
        defer { progress.end() }
        for side in Comparison.order(pairs: pairs) where signal == nil {
            switch side {
            case .a: try Comparing.measureBlock(&a, &progress)
            case .b: try Comparing.measureBlock(&b, &progress)
            }
            signal = (side == .a ? a : b).blocks.last?.signal
        }
        // A pair that was not finished is none.
        let count = min(a.blocks.count, b.blocks.count) - (signal == nil ? 0 : 1)
        guard count > 0 else {
            if let signal { throw Failure(ExitStatus(signal: signal)) }
            throw Failure(.couldNotRun, "nothing was measured")
        }
        a.keep(count)
        b.keep(count)
    }

    private static func measureBlock(_ side: inout Side, _ progress: inout Progress) throws {
        var shown = progress
        do throws(StartFailure) {
            let outcome = try LoadRun(side.plan, server: side.server.process).run { interval, _ in
                shown.show(interval)
            }
            guard outcome.total.connectLatency.count > 0 else {
                throw StartFailure.worker(SystemError("connect", .connectionRefused))
            }
            side.blocks.append(outcome)
        } catch {
            throw Failure(.couldNotRun, "\(side.server.name): \(error.explanation)")
        }
        progress = shown
    }

    // ---- the result ----

    /// What the blocks say.
    mutating func result() throws -> CompareReport {
        let metrics = self.metrics
        guard !metrics.isEmpty else {
            throw Failure(.couldNotRun, "no block exchanged a message: nothing can be compared")
        }
        let comparison: Comparison
        do throws(ComparisonError) {
            comparison = try Comparison(metrics.map(\.blocks), seed: a.plan.seed)
        } catch {
            throw Failure(.couldNotRun, error.description)
        }
        self.comparison = comparison
        return CompareReport(
            manifest: manifest,
            nameA: a.server.name,
            nameB: b.server.name,
            confidence: Comparison.confidence,
            metrics: zip(metrics, comparison.metrics).map { metric, found in
                CompareReport.Metric(metric.blocks, found, unit: metric.unit)
            },
            words: Comparing.words(comparison),
            runA: report(a),
            runB: report(b)
        )
    }

    /// The metrics in which B is worse by more than a share, and not by chance, in words.
    func metricsWorse(byMoreThan share: Double) -> [String] {
        (comparison?.metrics ?? []).compactMap { metric in
            guard case .worse(let percent, _) = metric.verdict, percent > share * 100 else {
                return nil
            }
            return metric.sentence
        }
    }

    private static func words(_ comparison: Comparison) -> String {
        let found = comparison.metrics.filter {
            switch $0.verdict {
            case .better, .worse: true
            case .noDifference, .tooFewPairs: false
            }
        }
        if !found.isEmpty { return found.map(\.sentence).joined(separator: "; ") }
        if let first = comparison.metrics.first, case .tooFewPairs = first.verdict {
            return first.sentence
        }
        let largest = comparison.metrics.map(\.detectablePercent).max() ?? 0
        let text = Figures.decimal(largest, 1)
        return "no difference was found; one above \(text) % would have shown in every metric"
    }

    private func report(_ side: Side) -> RunReport {
        RunReport(
            side.plan,
            side.sum,
            manifest: manifest,
            targets: [side.server.target],
            backendExplanation: side.explanation
        )
    }

    /// The metrics that every block of both sides has.
    private var metrics: [(blocks: PairedBlocks, unit: String)] {
        func metric(
            _ metric: ComparedMetric,
            _ unit: String,
            _ value: (LoadOutcome) -> Double?
        ) -> (PairedBlocks, String)? {
            let (a, b) = (a.blocks.compactMap(value), b.blocks.compactMap(value))
            guard a.count == self.a.blocks.count, b.count == self.b.blocks.count,
                (a + b).allSatisfy({ $0 > 0 })
            else { return nil }
            return (PairedBlocks(metric, a: a, b: b), unit)
        }
        func percentile(_ percentile: Double) -> (PairedBlocks, String)? {
            metric(ComparedMetric("p\(Int(percentile)) latency", better: .smaller), "ns") {
                Double($0.total.latency.value(atPercentile: percentile))
            }
        }
        let cost = ComparedMetric(
            "server CPU per message",
            better: .smaller,
            betterWord: "cheaper",
            worseWord: "dearer"
        )
        return [
            metric(ComparedMetric("throughput", better: .larger), "/s") {
                Double($0.total.messages) / max(Double($0.windowNanoseconds) / 1e9, 1e-9)
            },
            metric(cost, "ns") { $0.server?.cpuNanoseconds.perMessage($0.total.messages) },
            percentile(50), percentile(90), percentile(99),
        ].compactMap { $0 }
    }
}

extension CompareReport.Metric {
    /// A metric with its blocks, and what they come to.
    fileprivate init(_ blocks: PairedBlocks, _ found: MetricComparison, unit: String) {
        let prefix = found.metric.name + ": "
        self.init(
            name: found.metric.name,
            unit: unit,
            valueA: blocks.a.median,
            valueB: blocks.b.median,
            ratio: found.ratio,
            low: found.ratioLow,
            high: found.ratioHigh,
            p: found.adjustedPValue,
            words: String(found.sentence.trimmingPrefix(prefix)),
            blocksA: blocks.a,
            blocksB: blocks.b
        )
    }
}

extension [Double] {
    /// The value in the middle; there is one.
    fileprivate var median: Double {
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}

extension Comparing.Side {
    /// Leaves out the blocks behind the first so many.
    fileprivate mutating func keep(_ count: Int) {
        blocks.removeLast(blocks.count - count)
        for block in blocks { sum.add(block) }
    }
}

extension UInt64? {
    fileprivate func perMessage(_ messages: UInt64) -> Double? {
        guard let self, messages > 0 else { return nil }
        return Double(self) / Double(messages)
    }
}
