// Searching: which rate to try next, and what the rates that were tried come to. Rates double until
// one breaks the limit; then the gap between the highest that kept it and the lowest that broke it
// is halved, by ratio, until it is narrow. At last both are tried again: a rate that keeps a limit
// once may have been lucky.

import Load
import Measure
import Report

/// A search under way.
struct Searching {
    /// How a search ended.
    enum End: Equatable {
        case found
        /// Not even the first rate keeps the limit.
        case nothingKept
        /// The load generator could not send faster.
        case generatorLimit
        case signal(Int32)
    }

    private let limit: LatencyLimit
    private let first: Double
    private let precision: Double
    private var steps: [SearchReport.Step] = []
    /// The highest rate that keeps the limit, and the lowest that breaks it, as far as known.
    private var low: Double?
    private var high: Double?
    /// Rates of the bracket that have still to be tried again.
    private var retests: [Double] = []
    private var hasBracket = false
    private(set) var end: End?

    /// How often the present rate has been tried in vain.
    private var attempts = 0

    private static let stepsMax = 60
    private static let attemptsMax = 3

    init(limit: LatencyLimit, first: Double, precision: Double) {
        self.limit = limit
        self.first = first
        self.precision = precision
    }

    /// The next rate to try, or nil at the end.
    var next: Double? {
        guard end == nil, steps.count < Searching.stepsMax else { return nil }
        if let rate = retests.first { return rate }
        guard let low else { return high.map { $0 / 2 } ?? first }
        guard let high else { return low * 2 }
        return (low * high).squareRoot()
    }

    /// Takes in what a rate came to.
    mutating func add(_ rate: Double, _ run: RunReport) {
        let isReached = run.audit.droppedSlots * 100 <= run.messages
        if !run.audit.isValid, isReached {
            // Late though nobody was waiting: a neighbour took the CPU for a moment, or the load
            // generator is the limit.
            attempts += 1
            if attempts == Searching.attemptsMax { end = .generatorLimit }
            return
        }
        attempts = 0
        let isKept = isReached && limit.isKept(by: run) && run.errors.total == 0
        steps.append(SearchReport.Step(rateAsked: rate, run: run, kept: isKept))
        if isKept { low = max(low ?? 0, rate) } else { high = min(high ?? .infinity, rate) }
        if !retests.isEmpty {
            retests.removeFirst()
            reconcile(rate, isKept)
        }
        decide()
    }

    /// Where a retest contradicts what was found before, the bracket opens on that side again.
    private mutating func reconcile(_ rate: Double, _ isKept: Bool) {
        guard let low, let high, low >= high else { return }
        hasBracket = false
        retests = []
        if isKept {
            self.low = rate
            self.high = steps.filter { !$0.kept }.compactMap(\.rateAsked).filter { $0 > rate }.min()
        } else {
            self.high = rate
            self.low = steps.filter(\.kept).compactMap(\.rateAsked).filter { $0 < rate }.max()
        }
    }

    private mutating func decide() {
        guard let low else {
            // Below a thousandth of the first rate nobody looks for the answer.
            if let high, high < first / 1000 { end = .nothingKept }
            return
        }
        guard let high, high / low <= 1 + precision else { return }
        if !hasBracket {
            hasBracket = true
            retests = [low, high]
        } else if retests.isEmpty {
            end = .found
        }
    }

    mutating func end(by signal: Int32) { end = .signal(signal) }

    /// What was found.
    func report(_ manifest: Manifest) -> SearchReport {
        SearchReport(
            manifest: manifest,
            limit: limit.text,
            limitPercentile: limit.percentile,
            limitNanoseconds: limit.nanoseconds,
            steps: steps,
            answerPerSecond: low,
            answer: answer
        )
    }

    private var answer: String {
        let best = low.map(Figures.rate)
        switch end {
        case .found:
            return "\(limit.text) is kept up to \(best ?? ""); at "
                + "\(high.map(Figures.rate) ?? "") it is broken, twice each"
        case .nothingKept:
            return "\(limit.text) is not even kept at \(Figures.rate(high ?? 0))"
        case .generatorLimit:
            let kept = best.map { "it is kept up to \($0); " } ?? ""
            return "\(limit.text): \(kept)beyond it the load generator itself is the limit: give "
                + "it more --workers and CPUs"
        case .signal, nil:
            return "\(limit.text): " + (best.map { "kept up to \($0) so far" } ?? "nothing yet")
        }
    }
}
