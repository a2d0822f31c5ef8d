// HistogramLog+Merging: one log of several machines' logs. Histograms are added bucket by bucket,
// so nothing is lost, and a percentile of the sum is what one machine would have measured that had
// made all the load. What can go wrong is time: machines whose clocks differ, or that ran one after
// the other, are added up as exactly, and mean nothing. That is warned of.

/// A log and what to call it.
public struct NamedHistogramLog: Sendable {
    public var name: String
    public var log: HistogramLog

    /// A log, and the name of its file or its machine.
    public init(name: String, log: HistogramLog) {
        self.name = name
        self.log = log
    }
}

extension HistogramLog {
    /// Adds logs up. Intervals of the same tag that begin in the same second are one afterwards; in
    /// the same ten seconds, if intervals are ten seconds long, and so on.
    ///
    /// - Returns: the sum, and sentences about what a reader should doubt.
    public static func merging(
        _ logs: [NamedHistogramLog]
    ) -> (log: HistogramLog, warnings: [String]) {
        let all = logs.flatMap(\.log.intervals)
        let second: UInt64 = 1_000_000_000
        let longest = all.map(\.lengthNanoseconds).max() ?? 0
        // Half a second more than a whole number of them is a timer that was late.
        let width = max(1, longest / second + (longest % second > second / 2 ? 1 : 0)) * second
        var slots: [Slot: [[HistogramInterval]]] = [:]
        for (index, log) in logs.enumerated() {
            for interval in log.log.intervals {
                let slot = Slot(start: interval.startNanoseconds / width, tag: interval.tag)
                slots[slot, default: Array(repeating: [], count: logs.count)][index].append(
                    interval
                )
            }
        }
        var merged = HistogramLog(startNanoseconds: logs.map(\.log.startNanoseconds).min() ?? 0)
        merged.comments = logs.map { "[merged from \($0.name)]" }
        for (_, parts) in slots.sorted(by: { $0.key < $1.key }) {
            merged.intervals.append(sum(parts))
        }
        merged.isCutShort = logs.contains { $0.log.isCutShort }
        return (merged, warnings(logs, slots, width))
    }

    private struct Slot: Hashable, Comparable {
        var start: UInt64
        var tag: String?

        static func < (left: Slot, right: Slot) -> Bool {
            (left.start, left.tag ?? "") < (right.start, right.tag ?? "")
        }
    }

    /// The intervals of a slot, by log. Those of one log follow each other, so their lengths add
    /// up; those of several lie beside each other, so the longest counts. A rate over it is then
    /// the sum of the machines' rates.
    private static func sum(_ parts: [[HistogramInterval]]) -> HistogramInterval {
        let all = parts.flatMap { $0 }
        let length = parts.map { $0.map(\.lengthNanoseconds).reduce(0, &+) }.max() ?? 0
        let start = all.map(\.startNanoseconds).min() ?? 0
        return HistogramInterval(adding: all, start: start, length: length)
    }

    private static func warnings(
        _ logs: [NamedHistogramLog],
        _ slots: [Slot: [[HistogramInterval]]],
        _ width: UInt64
    ) -> [String] {
        var warnings: [String] = []
        let ranges = logs.map { log -> Range<UInt64> in
            let start = log.log.intervals.map(\.startNanoseconds).min() ?? 0
            return start..<max(start, log.log.intervals.map(\.endNanoseconds).max() ?? 0)
        }
        for (index, log) in logs.enumerated() {
            if log.log.isCutShort { warnings.append("\(log.name): its last line is cut short") }
            if ranges[index].isEmpty {
                warnings.append("\(log.name) has no intervals")
                continue
            }
            for other in logs.indices.dropFirst(index + 1) where !ranges[other].isEmpty {
                if !ranges[index].overlaps(ranges[other]) {
                    warnings.append(
                        "\(log.name) (\(words(ranges[index]))) and \(logs[other].name) "
                            + "(\(words(ranges[other]))) do not overlap: the runs were not at the "
                            + "same time, or a clock is wrong"
                    )
                } else if log.log.intervals == logs[other].log.intervals {
                    warnings.append("\(log.name) and \(logs[other].name) are the same log")
                }
            }
            let alone = slots.values.filter { parts in
                !parts[index].isEmpty
                    && parts.indices.allSatisfy { $0 == index || parts[$0].isEmpty }
            }
            let isApart = ranges.indices.allSatisfy {
                $0 == index || !ranges[index].overlaps(ranges[$0])
            }
            if logs.count > 1, !alone.isEmpty, !isApart {
                warnings.append(
                    "\(log.name): \(alone.count) of its intervals of \(width / 1_000_000_000) s "
                        + "are in no other log"
                )
            }
        }
        return warnings
    }

    private static func words(_ range: Range<UInt64>) -> String {
        "\(WallClock.text(range.lowerBound)) to \(WallClock.text(range.upperBound))"
    }
}
