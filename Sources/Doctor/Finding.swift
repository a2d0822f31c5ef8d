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
    /// The chapter of Tuning.md that says more, as a link from where that page lies.
    public let link: String?

    static func fine(_ subject: String, _ found: String) -> Finding {
        Finding(
            subject: subject,
            verdict: .fine,
            found: found,
            effect: nil,
            remedy: nil,
            link: nil
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
            link: "Tuning.md" + (anchors[chapter].map { "#" + $0 } ?? "")
        )
    }

    /// The chapters of Tuning.md that findings name, as their titles are in links.
    static let anchors = [
        2: "2-the-backend", 3: "3-limits-descriptors-and-locked-memory",
        4: "4-workers-and-pinning", 7: "7-accepting-backlog-and-somaxconn",
        8: "8-ports-and-time_wait", 10: "10-the-network-card",
        12: "12-containers-seccomp-and-cgroups", 13: "13-cloud-virtual-machines",
    ]
}
