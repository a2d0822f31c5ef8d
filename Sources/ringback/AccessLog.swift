// AccessLog: a line for each connection that has ended, as text or as JSON.

import ArgumentParser
import Engine
import Glibc
import Net
import Options

/// `--access-log-format`.
enum AccessLogFormat: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
}

/// A file of access log lines.
final class AccessLog {
    private var file: UnsafeMutablePointer<FILE>
    private let path: String
    private let format: AccessLogFormat
    // Records carry monotonic times; this is what makes dates of them.
    private let wallClockOffset: Double
    /// What a service says of a connection beside, from its remark.
    var describe: (Remark) -> [Field] = { _ in [] }

    /// Opens a log for appending; `-` is stdout.
    init(path: String, format: AccessLogFormat) throws {
        file = try AccessLog.open(path)
        self.path = path
        self.format = format
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let wall = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
        wallClockOffset = wall - Double(Clock.monotonicNanoseconds()) / 1e9
    }

    deinit { fclose(file) }

    private static func open(_ path: String) throws -> UnsafeMutablePointer<FILE> {
        guard let file = path == "-" ? fdopen(dup(STDOUT_FILENO), "w") : fopen(path, "ae") else {
            let reason = Errno(rawValue: errno)
            throw Failure(.couldNotRun, "cannot write the access log '\(path)': \(reason)")
        }
        return file
    }

    /// Writes to the file that has the path's name now: the one so far may have been moved away.
    func reopen() throws {
        let next = try AccessLog.open(path)
        fclose(file)
        file = next
    }

    func flush() { fflush(file) }

    /// Writes the line of a connection. Everything in it is digits and names of our own: nothing
    /// that a client sends can forge a line.
    func write(_ record: ConnectionRecord) {
        let fields = self.fields(record)
        let line: String
        switch format {
        case .text:
            line = fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        case .json:
            let members = fields.map { field in
                "\"\(field.name)\":" + (field.isText ? "\"\(field.value)\"" : field.value)
            }
            line = "{" + members.joined(separator: ",") + "}"
        }
        fputs(line + "\n", file)
    }

    /// A part of a line. The value needs no quotes or escapes.
    typealias Field = (name: String, value: String, isText: Bool)

    private func fields(_ record: ConnectionRecord) -> [Field] {
        let duration = record.closedAt - record.openedAt
        var fields: [Field] = [
            ("start", date(record.openedAt), true),
            ("duration_us", "\(duration / .nanosecondsPerMicrosecond)", false),
            ("peer", record.peer?.description ?? "unknown", true),
            ("local", record.local?.description ?? "unknown", true),
            ("worker", "\(record.worker)", false),
            ("bytes_in", "\(record.bytesReceived)", false),
            ("bytes_out", "\(record.bytesSent)", false),
            ("end", record.end.termination.name, true),
            ("undelivered", "\(record.end.undeliveredBytes)", false),
        ]
        if let transmission = record.transmission {
            fields.append(("rtt_us", "\(transmission.roundTripMicroseconds)", false))
            fields.append(("retransmits", "\(transmission.retransmits)", false))
        }
        return fields + describe(record.remark)
    }

    /// A moment as RFC 3339 with milliseconds, in UTC.
    private func date(_ moment: UInt64) -> String {
        let wall = Double(moment) / 1e9 + wallClockOffset
        var seconds = time_t(wall)
        let milliseconds = Int((wall - Double(seconds)) * 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            strftime(text.baseAddress!, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
            let fraction = String(milliseconds)
            let zeros = String(repeating: "0", count: max(0, 3 - fraction.count))
            return String(cString: text.baseAddress!) + "." + zeros + fraction + "Z"
        }
    }
}
