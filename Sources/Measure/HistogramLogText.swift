// HistogramLogText: a log as lines, written and read. Times are written as offsets from the base
// time that the header names, with six digits: so a reader keeps them exactly, and the microseconds
// of a time since 1970 do not fit into a Double's 53 bits next to anything else.

extension HistogramLog {
    static let formatLine = "#[Histogram log format version 1.3]"
    static let legend =
        #""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#
    private static let counterOpening = "#[ringload "
    private static let longestName = "longest_ns"

    /// The lines before the first interval, each with its end.
    var header: String {
        let seconds = Decimal.seconds(startNanoseconds)
        let date = WallClock.text(startNanoseconds)
        var lines = comments.map { "#" + $0 }
        lines.append(HistogramLog.formatLine)
        lines.append("#[BaseTime: \(seconds) (seconds since epoch)]")
        lines.append("#[StartTime: \(seconds) (seconds since epoch), \(date)]")
        lines.append(HistogramLog.legend)
        return lines.map { $0 + "\n" }.joined()
    }

    /// The lines of an interval, each with its end.
    func lines(of interval: HistogramInterval) -> String {
        var counters = interval.counters
        counters[HistogramLog.longestName] = interval.latency.longest
        let totals = counters.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
        let base = startNanoseconds / 1000 * 1000
        // A clock that was set back puts an interval before its log: it is at the beginning then.
        let offset = interval.startNanoseconds - min(base, interval.startNanoseconds)
        let fields = [
            Decimal.seconds(offset), Decimal.seconds(interval.lengthNanoseconds),
            Decimal.milliseconds(interval.latency.longest), interval.latency.encoded,
        ]
        let tag = interval.tag.map { "Tag=\($0)," } ?? ""
        return """
            \(HistogramLog.counterOpening)\(totals.joined(separator: " "))]
            \(tag)\(fields.joined(separator: ","))

            """
    }

    /// The log as text.
    public var text: String { header + intervals.map(lines(of:)).joined() }

    /// Reads a log.
    ///
    /// - Parameters:
    ///   - text: all of it.
    ///   - file: what errors are to call it.
    public init(parsing text: String, file: String) throws(HistogramLogError) {
        self.init(startNanoseconds: 0)
        var reading = Reading()
        // A Character: CR with LF is one.
        var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        // Behind the last line's end is nothing. A program that was killed may have left a piece.
        let rest = lines.removeLast()
        for (index, line) in lines.enumerated() {
            do throws(LatencyEncodingError) {
                try read(line, &reading)
            } catch {
                throw HistogramLogError(file: file, line: index + 1, cause: error.description)
            }
        }
        if !rest.isEmpty {
            // Some writers end their last line and some do not.
            do throws(LatencyEncodingError) { try read(rest, &reading) } catch { isCutShort = true }
        }
        guard reading.hasHeader || !intervals.isEmpty else {
            throw HistogramLogError(file: file, cause: "it is no histogram log")
        }
        finish(reading)
    }

    /// What has been read and belongs to something that follows.
    private struct Reading {
        var base: UInt64?
        var start: UInt64?
        var counters: [String: UInt64] = [:]
        var hasHeader = false
    }

    private mutating func read(_ line: Substring, _ reading: inout Reading)
        throws(LatencyEncodingError)
    {
        if line.hasPrefix("#") {
            try readComment(line, &reading)
        } else if line.hasPrefix("\"") {
            reading.hasHeader = true
        } else if !line.isEmpty {
            try readInterval(line, &reading)
        }
    }

    private mutating func readComment(
        _ line: Substring,
        _ reading: inout Reading
    ) throws(LatencyEncodingError) {
        func time(behind opening: String) throws(LatencyEncodingError) -> UInt64 {
            let word = line.dropFirst(opening.count).drop { $0 == " " }.prefix { $0 != " " }
            guard let time = Decimal.nanoseconds(ofSeconds: word) else {
                throw LatencyEncodingError("\(word) is no time in seconds")
            }
            return time
        }
        if line.hasPrefix("#[BaseTime:") {
            reading.base = try time(behind: "#[BaseTime:")
        } else if line.hasPrefix("#[StartTime:") {
            reading.start = try time(behind: "#[StartTime:")
        } else if line.hasPrefix(HistogramLog.counterOpening) {
            reading.counters = try HistogramLog.counters(line)
        } else if line.hasPrefix("#[Histogram log format version") {
            reading.hasHeader = true
        } else if intervals.isEmpty {
            comments.append(String(line.dropFirst()))
        }
    }

    private static func counters(_ line: Substring) throws(LatencyEncodingError) -> [String: UInt64]
    {
        guard line.last == "]" else { throw LatencyEncodingError("the totals have no end") }
        var counters: [String: UInt64] = [:]
        for word in line.dropFirst(counterOpening.count).dropLast().split(separator: " ") {
            let parts = word.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let count = Decimal.digits(parts[1]) else {
                throw LatencyEncodingError("\(word) is no total, such as messages=100")
            }
            counters[String(parts[0])] = count
        }
        return counters
    }

    private mutating func readInterval(
        _ line: Substring,
        _ reading: inout Reading
    ) throws(LatencyEncodingError) {
        var fields = line.split(separator: ",", omittingEmptySubsequences: false)
        var tag: String?
        if let first = fields.first, first.hasPrefix("Tag=") {
            tag = String(fields.removeFirst().dropFirst(4))
        }
        guard fields.count == 4 else {
            throw LatencyEncodingError(
                "an interval has 4 fields, and this line has \(fields.count)"
            )
        }
        guard let start = Decimal.nanoseconds(ofSeconds: fields[0]),
            let length = Decimal.nanoseconds(ofSeconds: fields[1])
        else {
            throw LatencyEncodingError(
                "\(fields[0]),\(fields[1]) is no start and length in seconds"
            )
        }
        var latency = try Latency(encoded: fields[3])
        // The histogram has the longest to a thousandth alone.
        if let longest = reading.counters.removeValue(forKey: HistogramLog.longestName) {
            latency.longest = longest
        }
        intervals.append(
            HistogramInterval(
                startNanoseconds: start,
                lengthNanoseconds: length,
                tag: tag,
                latency: latency,
                counters: reading.counters
            )
        )
        reading.counters = [:]
    }

    /// Makes the times absolute. Without a base time they are absolute already, or relative to the
    /// start time, if they lie more than a year before it (HistogramLogReader of the original).
    private mutating func finish(_ reading: Reading) {
        let year: UInt64 = 365 * 24 * 3600 * 1_000_000_000
        let first = intervals.first?.startNanoseconds ?? 0
        var base = reading.base ?? 0
        if reading.base == nil, let start = reading.start, start > year, first < start - year {
            base = start
        }
        for index in intervals.indices {
            let start = intervals[index].startNanoseconds
            let (sum, overflows) = start.addingReportingOverflow(base)
            intervals[index].startNanoseconds = overflows ? .max : sum
        }
        startNanoseconds = reading.start ?? intervals.first?.startNanoseconds ?? base
    }
}
