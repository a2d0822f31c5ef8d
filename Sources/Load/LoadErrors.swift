// LoadErrors: what went wrong in a run, by class.

/// Counts of what went wrong.
public struct LoadErrors: Codable, Equatable, Sendable {
    /// Connects that were refused.
    public var refused: UInt64 = 0
    /// Connects of which nothing was heard in time.
    public var connectTimedOut: UInt64 = 0
    /// Connects that failed otherwise.
    public var connectFailed: UInt64 = 0
    /// Connections that broke.
    public var reset: UInt64 = 0
    /// Connections that the server ended before its time.
    public var closedEarly: UInt64 = 0
    /// Requests whose response did not come in time; their connection was cut.
    public var timedOut: UInt64 = 0
    /// Requests without a response at the end.
    public var unanswered: UInt64 = 0

    /// None.
    public init() {}

    /// Every count with its name, for reports.
    public static var fields: [(name: String, path: WritableKeyPath<LoadErrors, UInt64>)] {
        [
            ("refused", \.refused), ("connect_timed_out", \.connectTimedOut),
            ("connect_failed", \.connectFailed), ("reset", \.reset),
            ("closed_early", \.closedEarly), ("timed_out", \.timedOut),
            ("unanswered", \.unanswered),
        ]
    }

    /// Those that are not zero, as `name=count`.
    public var text: String {
        LoadErrors.fields.filter { self[keyPath: $0.path] > 0 }
            .map { "\($0.name)=\(self[keyPath: $0.path])" }.joined(separator: " ")
    }

    /// All together.
    public var total: UInt64 { LoadErrors.fields.reduce(0) { $0 + self[keyPath: $1.path] } }

    /// Adds other counts.
    public mutating func add(_ other: LoadErrors) {
        for field in LoadErrors.fields { self[keyPath: field.path] += other[keyPath: field.path] }
    }

    enum CodingKeys: String, CodingKey {
        case refused
        case connectTimedOut = "connect_timed_out"
        case connectFailed = "connect_failed"
        case reset
        case closedEarly = "closed_early"
        case timedOut = "timed_out"
        case unanswered
    }
}
