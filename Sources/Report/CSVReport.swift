// CSVReport: the intervals of a run for a spreadsheet or a plotting program, as RFC 4180 has it.
// All cells are numbers, so none is ever quoted, and none can be taken for a formula.

/// The intervals of a run as comma-separated values.
public enum CSVReport {
    /// The names of the columns, with their units.
    public static let header = [
        "start_ns", "duration_ns", "messages", "messages_per_second",
        "bytes_received_per_second", "p50_ns", "p99_ns", "max_ns", "errors",
    ]

    /// The header and a line for each interval. Lines end with CR and LF.
    public static func text(_ run: RunReport) -> String {
        let rows = run.intervals.map { interval -> [String] in
            [
                "\(interval.startNanoseconds)", "\(interval.durationNanoseconds)",
                "\(interval.messages)", number(interval.messagesPerSecond),
                number(interval.bytesReceivedPerSecond), "\(interval.p50)", "\(interval.p99)",
                "\(interval.max)", "\(interval.errors)",
            ]
        }
        return ([header] + rows).map { $0.joined(separator: ",") + "\r\n" }.joined()
    }

    /// The shortest number that reads back as the same; empty where there is none.
    private static func number(_ number: Double) -> String {
        guard number.isFinite else { return "" }
        return number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
    }
}
