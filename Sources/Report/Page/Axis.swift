// Axis: where a value lies on a plot, and which values are named beside it. The percentile axis
// counts nines: each further nine takes as much room as the one before, since that is where a
// server's worst moments are, and on a plain scale they would all lie on the last pixel.

import Glibc

/// One direction of a plot.
struct Axis: Equatable {
    /// How distances are measured.
    enum Scale { case linear, logarithmic, nines }

    /// A value that is named.
    struct Tick: Equatable {
        var value: Double
        var label: String
        /// Whether a narrow page leaves the label out.
        var isOptional = false
    }

    var title: String
    var scale: Scale
    var low: Double
    var high: Double
    var ticks: [Tick]

    /// Where a value lies: 0 at the beginning of the axis, 1 at its end, and nowhere else.
    func position(_ value: Double) -> Double {
        let (first, last, here) = (measure(low), measure(high), measure(value))
        guard last > first, here.isFinite else { return 0.5 }
        return min(max((here - first) / (last - first), 0), 1)
    }

    private func measure(_ value: Double) -> Double {
        switch scale {
        case .linear: value
        case .logarithmic: log10(max(value, 1e-9))
        // 100 itself is infinitely far away; it lies at the end.
        case .nines: -log10(max(1 - value / 100, 1e-12))
        }
    }

    // ---- kinds of axes ----

    /// An axis from 0, with up to six ticks at round values.
    static func fromZero(_ title: String, upTo highest: Double, _ label: (Double) -> String)
        -> Axis
    {
        let top = highest.isFinite && highest > 0 ? highest : 1
        return between(title, 0, top, label)
    }

    /// An axis that has some values with a little room around them.
    static func around(_ title: String, _ values: [Double], _ label: (Double) -> String) -> Axis {
        let finite = values.filter(\.isFinite)
        guard let low = finite.min(), let high = finite.max() else {
            return fromZero(title, upTo: 1, label)
        }
        let room = high > low ? (high - low) * 0.08 : Swift.max(abs(high) * 0.1, 1e-9)
        return between(title, low - room, high + room, label)
    }

    /// An axis from one value to another; the last tick may lie beyond, and the axis then ends
    /// there.
    private static func between(
        _ title: String,
        _ low: Double,
        _ high: Double,
        _ label: (Double) -> String
    ) -> Axis {
        let step = roundStep((high - low) / 5)
        let first = (low / step).rounded(.down)
        let last = (high / step - 1e-9).rounded(.up)
        let ticks = (0...Int(last - first)).map { index in
            let value = (first + Double(index)) * step
            return Tick(value: value, label: label(value))
        }
        return Axis(
            title: title,
            scale: .linear,
            low: first * step,
            high: last * step,
            ticks: ticks
        )
    }

    /// Time since the beginning of the window; it ends with the window.
    static func time(nanoseconds: Double) -> Axis {
        let seconds = max(nanoseconds / 1e9, 1e-6)
        let steps: [Double] = [
            15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400,
        ]
        var step = roundStep(seconds / 6)
        if step > 10 { step = steps.first { $0 >= seconds / 6 } ?? step }
        let (unit, name) = step < 60 ? (1.0, "s") : step < 3600 ? (60, "min") : (3600, "h")
        let ticks = (0...Int(seconds / step + 1e-9)).map { index in
            let value = Double(index) * step
            return Tick(value: value * 1e9, label: "\(Figures.shortest(value / unit)) \(name)")
        }
        return Axis(title: "time", scale: .linear, low: 0, high: seconds * 1e9, ticks: ticks)
    }

    /// Durations in nanoseconds on a logarithmic scale.
    static func durations(_ title: String, _ values: [Double]) -> Axis {
        let positive = values.filter { $0 > 0 && $0.isFinite }
        let smallest = max(positive.min() ?? 1000, 1)
        let largest = max(positive.max() ?? 1_000_000, smallest)
        let marks = (0...14).flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }
        let low = marks.last { $0 <= smallest } ?? 1
        // A curve on the upper edge could not be told from the edge.
        let high = marks.first { $0 > max(largest * 1.02, low) } ?? largest * 2
        let isShort = log10(high / low) < 2.4
        let ticks = marks.filter { $0 >= low && $0 <= high }.compactMap { mark -> Tick? in
            let isPower = log10(mark).rounded() == log10(mark)
            guard isShort || isPower else { return nil }
            return Tick(value: mark, label: durationLabel(mark))
        }
        return Axis(title: title, scale: .logarithmic, low: low, high: high, ticks: ticks)
    }

    /// Percentiles, as far as so many durations tell them apart.
    static func percentiles(count: UInt64) -> Axis {
        let decades = min(max(log10(Double(max(count, 1))), 2), 7)
        let names = ["90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"]
        var ticks = [
            Tick(value: 0, label: "0"), Tick(value: 50, label: "50", isOptional: decades > 5),
        ]
        let nines = Int(decades + 1e-9)
        for (index, name) in names.prefix(nines).enumerated() {
            // The long names are left out in turn, beginning with the last but one.
            let isOptional = decades > 5 && index > 1 && (nines - 1 - index) % 2 == 1
            let value = 100 - pow(10, 1 - Double(index))
            ticks.append(Tick(value: value, label: name, isOptional: isOptional))
        }
        let high = 100 - pow(10, 2 - decades)
        return Axis(title: "percentile", scale: .nines, low: 0, high: high, ticks: ticks)
    }

    /// 1, 2 or 5 times a power of ten that is not smaller.
    private static func roundStep(_ rough: Double) -> Double {
        let power = pow(10, log10(rough).rounded(.down))
        return [1, 2, 5].map { $0 * power }.first { $0 >= rough * (1 - 1e-9) } ?? 10 * power
    }

    private static func durationLabel(_ nanoseconds: Double) -> String {
        let units = [(1e9, "s"), (1e6, "ms"), (1e3, "\u{b5}s")]
        let (factor, unit) = units.first { $0.0 <= nanoseconds } ?? (1, "ns")
        return "\(Figures.shortest(nanoseconds / factor)) \(unit)"
    }
}
