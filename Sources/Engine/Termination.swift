// Termination: how connections end. Every one of them ends in exactly one of these ways, with or
// without bytes left undelivered, and is counted there.

/// How a connection ended.
public enum Termination: UInt8, CaseIterable, Sendable {
    /// The peer finished first, everything was sent, and our FIN followed.
    case peerFinished
    /// The peer sent RST.
    case peerReset
    /// Nothing was heard of the peer for the idle timeout.
    case idle
    /// One side had finished, and nothing moved in the other direction for the half-close timeout.
    case halfCloseIdle
    /// The peer took nothing of what was sent for the write timeout.
    case writeStall
    /// The peer answered no keepalive probe.
    case keepalive
    /// Sent bytes went unacknowledged for the user timeout.
    case userTimeout
    /// The service stopped.
    case drain
    /// A limit was reached.
    case limit
    /// The network or this host failed otherwise.
    case error
    /// This side finished first, in the ordinary course of its work.
    case finished
    /// The service's own logic cut it.
    case aborted
    /// It has not ended: another process goes on with it.
    case handedOver

    /// The name in counters and logs.
    public var name: String {
        switch self {
        case .peerFinished: "client_fin"
        case .peerReset: "client_rst"
        case .idle: "idle"
        case .halfCloseIdle: "half_close_idle"
        case .writeStall: "write_stall"
        case .keepalive: "keepalive"
        case .userTimeout: "user_timeout"
        case .drain: "drain"
        case .limit: "limit"
        case .error: "error"
        case .finished: "server_fin"
        case .aborted: "aborted"
        case .handedOver: "handed_over"
        }
    }
}

extension Termination {
    /// The name where it is said apart which side it was: without `client` or `server`.
    public var nameForEither: String {
        switch self {
        case .peerFinished, .finished: "fin"
        case .peerReset: "rst"
        default: name
        }
    }
}

extension Termination {
    /// All ways to end, each without and with bytes left undelivered.
    public static let cells = allCases.flatMap { [($0, false), ($0, true)] }
}

/// How a connection ended, and what it left behind.
public struct ConnectionEnd: Equatable, Sendable {
    /// The way it ended.
    public let termination: Termination
    /// Bytes that were received or produced for it and never handed to the kernel.
    public let undeliveredBytes: Int
    /// Whether it was broken off, by either side: not both had sent FIN.
    public let isCut: Bool

    /// An end, as a test or a simulation puts it together.
    public init(termination: Termination, undeliveredBytes: Int, isCut: Bool = false) {
        self.termination = termination
        self.undeliveredBytes = undeliveredBytes
        self.isCut = isCut
    }
}

/// Ended connections by the way they ended and by whether bytes were left undelivered.
public struct TerminationCounts: Equatable, Sendable {
    private var counts = [UInt64](repeating: 0, count: Termination.allCases.count * 2)

    /// None.
    public init() {}

    /// The connections that ended in a way, with or without bytes left.
    public subscript(_ termination: Termination, undelivered undelivered: Bool) -> UInt64 {
        counts[Int(termination.rawValue) * 2 + (undelivered ? 1 : 0)]
    }

    mutating func count(_ end: ConnectionEnd) {
        counts[Int(end.termination.rawValue) * 2 + (end.undeliveredBytes > 0 ? 1 : 0)] += 1
    }

    mutating func add(_ other: TerminationCounts) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    /// All together: as many as connections have ended.
    public var total: UInt64 { counts.reduce(0, +) }

    /// Those that are not zero, as `name=count` and `name/undelivered=count`.
    public var summary: String {
        Termination.allCases.flatMap { termination in
            [false, true].compactMap { undelivered in
                let count = self[termination, undelivered: undelivered]
                guard count > 0 else { return nil }
                return termination.name + (undelivered ? "/undelivered" : "") + "=\(count)"
            }
        }.joined(separator: " ")
    }
}
