// Progress: the line that a terminal shows while a run goes on.

import Load
import Measure
import Net
import Report

/// What a run has shown of itself so far.
struct Progress {
    private var line = LiveLine()
    private let start = Clock.monotonicNanoseconds()
    private var rates: [Double] = []
    private var errors: UInt64 = 0

    /// Shows an interval.
    mutating func show(_ interval: Interval) {
        errors += interval.errors.total
        let seconds = max(Double(interval.nanoseconds) / 1e9, 1e-9)
        let rate = Double(interval.messages) / seconds
        // The first and the last parts are short, and their rates say little.
        if interval.nanoseconds > .nanosecondsPerSecond / 2 { rates.append(rate) }
        let isKnown = interval.latency.count > 0
        let moment = LiveMoment(
            elapsedNanoseconds: Clock.monotonicNanoseconds() - start,
            messagesPerSecond: rate,
            p50: isKnown ? interval.latency.value(atPercentile: 50) : nil,
            p99: isKnown ? interval.latency.value(atPercentile: 99) : nil,
            errors: errors,
            sparkline: Sparkline.text(rates, width: 40)
        )
        line.show(moment)
    }

    /// Takes the line away.
    mutating func end() { line.end() }
}
