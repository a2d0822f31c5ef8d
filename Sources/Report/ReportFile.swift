// ReportFile: reports on disk and back. Whoever reads a result next year wants to hear which file
// is wrong, where in it and how, and not that "the data is not in the correct format".

import FoundationEssentials
import Glibc

/// Why a report could not be written or read, in one line.
public struct ReportFileError: Error, Equatable, CustomStringConvertible {
    /// The file as it was named; `-` is stdout or stdin.
    public let path: String
    /// What was tried, such as `write` or `read`.
    public let action: String
    public let cause: String

    public var description: String { "cannot \(action) '\(path)': \(cause)" }
}

/// A report that says which version of its form it has.
public protocol VersionedReport: Codable {
    /// The version that this program writes and reads.
    static var formatVersion: Int { get }
    /// What it is, for people: `a run`.
    static var kind: String { get }
    var format: Int { get }
}

extension RunReport: VersionedReport {
    public static let formatVersion = 1
    public static let kind = "a run"
}

/// Reports as JSON, and files of any form.
public enum ReportFile {
    /// A report as JSON for people to look into: indented, its keys sorted, with a newline at the
    /// end.
    public static func json(_ report: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // A ratio to nothing must not cost a run its report.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
    }

    /// Writes a report as JSON to a file, or to stdout for `-`.
    public static func writeJSON(
        _ report: some Encodable,
        to path: String
    ) throws(ReportFileError) {
        let text: String
        do {
            text = try json(report)
        } catch {
            throw ReportFileError(path: path, action: "write", cause: "\(error)")
        }
        try write(text, to: path)
    }

    /// Writes a text to a file, or to stdout for `-`.
    public static func write(_ text: String, to path: String) throws(ReportFileError) {
        let isStandard = path == "-"
        guard let file = isStandard ? fdopen(dup(STDOUT_FILENO), "w") : fopen(path, "we") else {
            throw ReportFileError(path: path, action: "write", cause: lastCause())
        }
        if isStandard { fflush(nil) }
        var text = text
        let written = text.withUTF8 { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
        let cause = lastCause()
        // What a full disk refuses may be heard of no sooner than here.
        guard fclose(file) == 0 else {
            throw ReportFileError(path: path, action: "write", cause: written ? lastCause() : cause)
        }
        guard written else { throw ReportFileError(path: path, action: "write", cause: cause) }
    }

    /// Reads a report from a file, or from stdin for `-`.
    public static func read<Report: VersionedReport>(
        _ type: Report.Type,
        from path: String
    ) throws(ReportFileError) -> Report {
        let bytes = try contents(of: path)
        do {
            return try parse(type, bytes)
        } catch {
            throw ReportFileError(path: path, action: "read", cause: explain(error, type))
        }
    }

    // ---- reading ----

    private static func contents(of path: String) throws(ReportFileError) -> [UInt8] {
        guard let file = path == "-" ? fdopen(dup(STDIN_FILENO), "r") : fopen(path, "re") else {
            throw ReportFileError(path: path, action: "read", cause: lastCause())
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            bytes += piece[..<count]
            guard count == piece.count else { break }
        }
        // A folder opens, and then cannot be read.
        guard ferror(file) == 0 else {
            throw ReportFileError(path: path, action: "read", cause: lastCause())
        }
        return bytes
    }

    private static func parse<Report: VersionedReport>(
        _ type: Report.Type,
        _ bytes: [UInt8]
    ) throws -> Report {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        let data = Data(bytes)
        // Looked at first: in another form, anything may be missing or mean something else.
        let form = try decoder.decode(Form.self, from: data)
        guard form.format == type.formatVersion else { throw WrongForm(format: form.format) }
        return try decoder.decode(type, from: data)
    }

    private struct Form: Decodable { let format: Int }
    private struct WrongForm: Error { let format: Int }

    private static func explain<Report: VersionedReport>(
        _ error: any Error,
        _ type: Report.Type
    ) -> String {
        if let wrong = error as? WrongForm {
            return "it has format \(wrong.format), and this version reads \(type.formatVersion)"
        }
        let start = "it is not the report of \(type.kind): "
        switch error as? DecodingError {
        case .keyNotFound(let key, let context):
            return start + "'\(place(context.codingPath + [key]))' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return start + "'\(place(context.codingPath))' is of the wrong type"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            return start + "'\(place(context.codingPath))' has a value that cannot be"
        case .dataCorrupted(let context):
            let reason = context.underlyingError.map { "\($0)" } ?? context.debugDescription
            return start + "it is not JSON (\(firstLine(reason)))"
        default: return start + firstLine("\(error)")
        }
    }

    private static func firstLine(_ text: String) -> String {
        String(text.split(whereSeparator: \.isNewline).first ?? "")
    }

    /// A place such as `intervals[3].p99_ns`.
    private static func place(_ keys: [any CodingKey]) -> String {
        keys.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }

    /// Why the C library's last call failed. To be called before anything else that could fail.
    private static func lastCause() -> String { String(cString: strerror(errno)) }
}
