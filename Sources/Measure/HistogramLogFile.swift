// HistogramLogFile: logs on disk. A writer appends one interval at a time, in one write, so that a
// run that is killed leaves a log with all intervals that were over.

import Glibc

extension HistogramLog {
    /// Reads a log from a file.
    public init(file: String) throws(HistogramLogError) {
        guard let text = SystemFile.text(file) else {
            throw HistogramLogError(file: file, cause: "it cannot be read: \(SystemFile.failure)")
        }
        try self.init(parsing: text, file: file)
    }
}

/// Writes a log to a file as its intervals end.
public final class HistogramLogWriter {
    private let path: String
    private let file: UnsafeMutablePointer<FILE>
    private let log: HistogramLog

    /// Makes the file anew, and writes the header.
    ///
    /// - Parameters:
    ///   - path: where.
    ///   - startNanoseconds: when the log begins, since 1970 (UTC); no interval is earlier.
    ///   - comments: lines for the beginning of the log, without `#`.
    public init(
        path: String,
        startNanoseconds: UInt64,
        comments: [String] = []
    ) throws(HistogramLogError) {
        // "e": not for programs that this one starts.
        guard let file = fopen(path, "we") else {
            throw HistogramLogError(
                file: path,
                cause: "it cannot be written: \(SystemFile.failure)"
            )
        }
        self.path = path
        self.file = file
        log = HistogramLog(startNanoseconds: startNanoseconds, comments: comments)
        try write(log.header)
    }

    deinit { fclose(file) }

    /// Appends an interval; it is in the file afterwards. Its tag has no comma and no end of line,
    /// and the names of its counters are of a-z, 0-9 and `_`.
    public func append(_ interval: HistogramInterval) throws(HistogramLogError) {
        precondition(interval.tag?.contains { $0 == "," || $0.isNewline } != true)
        precondition(interval.counters.keys.allSatisfy(HistogramLogWriter.isName))
        try write(log.lines(of: interval))
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5f
            }
    }

    private func write(_ text: String) throws(HistogramLogError) {
        guard fputs(text, file) >= 0, fflush(file) == 0 else {
            throw HistogramLogError(
                file: path,
                cause: "it cannot be written: \(SystemFile.failure)"
            )
        }
    }
}
