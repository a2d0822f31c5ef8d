// Manifest: on what a run was made and by which command, so that a result can be judged and
// repeated.

/// The circumstances of a run.
public struct Manifest: Codable, Equatable, Sendable {
    /// The command line, its words apart.
    public var command: [String]
    /// The program's version.
    public var version: String
    /// When the run began: UTC, as in `2026-11-25T14:03:05Z`.
    public var startedAt: String
    /// Facts of the host by name, such as `kernel`, `cpu_model` or `net.core.somaxconn`.
    public var host: [String: String]

    /// A manifest of one's own making.
    public init(command: [String], version: String, startedAt: String, host: [String: String]) {
        self.command = command
        self.version = version
        self.startedAt = startedAt
        self.host = host
    }

    enum CodingKeys: String, CodingKey {
        case command, version
        case startedAt = "started_at"
        case host
    }
}
