// Finding: what the doctor says of one thing.

/// One thing that was looked at.
public struct Finding: Encodable, Equatable, Sendable {
    /// How it stands with it.
    public enum Verdict: String, Encodable, Sendable {
        /// Nothing to do.
        case fine
        /// The service runs, and could be faster or hold more.
        case costs
        /// What was asked for will not run.
        case broken
    }

    /// What was looked at, such as `descriptors`.
    public let subject: String
    public let verdict: Verdict
    /// What was found there.
    public let found: String
    /// What it costs, or why it keeps the service from running; nil where it is fine.
    public let effect: String?
    /// What to do, as a command where one does it; nil where it is fine.
    public let remedy: String?
    /// The chapter of Tuning.md that says more.
    public let chapter: Int?

    static func fine(_ subject: String, _ found: String) -> Finding {
        Finding(
            subject: subject,
            verdict: .fine,
            found: found,
            effect: nil,
            remedy: nil,
            chapter: nil
        )
    }

    /// Something to mend.
    static func trouble(
        _ verdict: Verdict,
        _ subject: String,
        _ found: String,
        effect: String,
        remedy: String,
        chapter: Int
    ) -> Finding {
        Finding(
            subject: subject,
            verdict: verdict,
            found: found,
            effect: effect,
            remedy: remedy,
            chapter: chapter
        )
    }
}
