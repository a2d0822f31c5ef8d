// Where a setting comes from, and what is wrong with one. Whoever has to mend something needs to
// know where it is written; so nothing is said of a setting without its place.

/// A place in a file.
public struct Place: Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named by the user.
    public let file: String
    /// From 1; 0 is the file as a whole.
    public let line: Int
    /// From 1, in characters of Unicode.
    public let column: Int

    /// A place in a file.
    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// A file as a whole.
    public static func whole(_ file: String) -> Place { Place(file: file, line: 0, column: 0) }

    /// As compilers write it, which editors know how to open.
    public var description: String { line == 0 ? file : "\(file):\(line):\(column)" }
}

/// The layer that a setting comes from. Each has its way over those before it.
public enum Origin: Hashable, Sendable, CustomStringConvertible {
    /// Nobody has set it.
    case standard
    /// A file.
    case file(Place)
    /// The environment variable of this name.
    case environment(String)
    /// The command line.
    case commandLine

    /// For people, such as `ringback.yaml:12`.
    public var description: String {
        switch self {
        case .standard: "default"
        case .file(let place): "\(place.file):\(place.line)"
        case .environment(let name): name
        case .commandLine: "command line"
        }
    }
}

/// Something that keeps a configuration from being used.
public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// Where it is written.
    public let origin: Origin
    /// What is wrong.
    public let message: String

    /// A problem with what is written somewhere.
    public init(_ origin: Origin, _ message: String) {
        self.origin = origin
        self.message = message
    }

    /// One line, whatever the file has in it.
    public var description: String {
        switch origin {
        case .file(let place): "\(place): \(message)".inOneLine
        case .environment(let name): "\(name): \(message)".inOneLine
        case .commandLine, .standard: message.inOneLine
        }
    }
}

/// A configuration that cannot be used.
public struct ConfigurationRefused: Error {
    /// Everything that is wrong, in the order of the file.
    public let problems: [Problem]

    /// A refusal for at least one reason.
    public init(_ problems: [Problem]) { self.problems = problems }
}

extension String {
    /// The text without characters that would break a line or steer a terminal.
    var inOneLine: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            text += scalar.isControl ? scalar.escaped(asASCII: true) : String(scalar)
        }
    }
}

extension Unicode.Scalar {
    /// Whether it is a control character, a break of lines, or something that is not shown.
    var isControl: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .format, .surrogate, .privateUse,
            .unassigned:
            true
        default: false
        }
    }
}
