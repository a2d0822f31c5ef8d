// Suite: the cases in their order, and how one is run. The E numbers are those of the project's
// list of what an echo server owes its clients; docs name them in words.

public import Net

/// One thing that is checked.
public struct Case: Sendable {
    /// What it is called by, for good.
    public let name: String
    /// The item of the list, such as `E1`.
    public let item: String
    /// What it checks, in a line.
    public let summary: String
    /// How long the case itself waits, for what it is about. A server is not charged for it.
    let pauseMilliseconds: UInt64
    let body: @Sendable (inout Probe) throws(Finding) -> Void

    init(
        _ name: String,
        _ item: String,
        _ summary: String,
        pausing pauseMilliseconds: UInt64 = 0,
        _ body: @escaping @Sendable (inout Probe) throws(Finding) -> Void
    ) {
        self.name = name
        self.item = item
        self.summary = summary
        self.pauseMilliseconds = pauseMilliseconds
        self.body = body
    }
}

/// What a case came to.
public struct CaseResult: Sendable {
    /// The case's name.
    public let name: String
    /// The case's item.
    public let item: String
    /// The case's line.
    public let summary: String
    /// What was found wrong; nil where nothing was.
    public let finding: Finding?
    /// What is worth knowing and no fault.
    public let comments: [String]
    /// How long it took.
    public let nanoseconds: UInt64
}

/// Runs cases against a server.
public struct Suite: ~Copyable {
    /// All cases, in the order in which they run.
    public static let cases: [Case] = echoCases + closingCases + servingCases

    private let target: SocketAddress
    private let timeoutNanoseconds: UInt64
    private let key: UInt64
    private let connectionsMax: Int
    private var streams: UInt32 = 0

    /// A suite for a server. `timeoutNanoseconds` is for each case, beside the waits that the case
    /// is about.
    public init(target: SocketAddress, timeoutNanoseconds: UInt64, key: UInt64) {
        self.target = target
        self.timeoutNanoseconds = timeoutNanoseconds
        self.key = key
        connectionsMax = max(1, Int(clamping: DescriptorLimit.current().soft) - 64)
    }

    /// Whether a connection can be made at all.
    public func reach() throws(Trouble) {
        _ = try Client(target, until: Clock.monotonicNanoseconds() + timeoutNanoseconds)
    }

    /// Runs one case.
    public mutating func run(_ test: Case) -> CaseResult {
        let start = Clock.monotonicNanoseconds()
        let pause = test.pauseMilliseconds * .nanosecondsPerMillisecond
        var probe = Probe(
            target: target,
            connectionsMax: connectionsMax,
            deadline: start + timeoutNanoseconds + pause,
            key: key,
            streams: streams
        )
        var finding: Finding?
        do throws(Finding) {
            try test.body(&probe)
        } catch {
            finding = error
        }
        streams = probe.streams
        return CaseResult(
            name: test.name,
            item: test.item,
            summary: test.summary,
            finding: finding,
            comments: probe.comments,
            nanoseconds: Clock.monotonicNanoseconds() - start
        )
    }
}
