// Pair: a client, the upstream connection that was made for it, and how the two came to an end. A
// pair is in the table from the moment its client is accepted until both connections are gone and
// no connect is under way for it.

import Engine
import Net

/// Which end of a relayed connection.
public enum RelaySide: UInt8, Sendable {
    case client
    case upstream
    /// The relay itself: a timeout, a limit, a stop.
    case relay

    /// The name in logs.
    public var name: String {
        switch self {
        case .client: "client"
        case .upstream: "upstream"
        case .relay: "relay"
        }
    }
}

/// A client and its upstream.
struct Pair {
    struct Flags: OptionSet {
        let rawValue: UInt8

        static let clientOpen = Flags(rawValue: 1 << 0)
        static let upstreamOpen = Flags(rawValue: 1 << 1)
        /// A connect is under way for it.
        static let connecting = Flags(rawValue: 1 << 2)
        /// It counts as a connection of its upstream.
        static let counted = Flags(rawValue: 1 << 3)
        /// Who ended it is known.
        static let hasEnded = Flags(rawValue: 1 << 4)
        /// The client has sent FIN, and its upstream is to be told once it has got what precedes.
        static let clientFinished = Flags(rawValue: 1 << 5)
    }

    var flags: Flags = []
    var client: ConnectionID
    var upstream: ConnectionID?
    /// The client's address: of the one that a PROXY header told of, where there was one.
    var source: SocketAddress
    /// Whether a proxy has told of its source.
    var isBehindProxy = false
    /// The place of its source where bytes in a second of each are limited.
    var rated: AddressLedger.Place?
    /// The number of the upstream, and of its addresses the one that is tried.
    var upstreamNumber = 0
    var addressNumber = 0
    /// A bit for each upstream that was tried in vain.
    var tried: UInt64 = 0
    var retries = 0
    /// When the connect under way began; then how long the one that succeeded took.
    var connectStartedAt: UInt64 = 0
    var connectNanoseconds: UInt64 = 0
    /// Who ended it, and how.
    var endedBy = RelaySide.relay
    var termination = Termination.peerFinished

    init(client: ConnectionID, source: SocketAddress) {
        self.client = client
        self.source = source
        flags = .clientOpen
    }

    /// Notes what the end of one of its connections tells.
    mutating func note(_ end: ConnectionEnd, on side: RelaySide) {
        switch end.termination {
        case .peerFinished, .peerReset, .error, .keepalive, .userTimeout, .writeStall:
            ended(by: side, end.termination)
        case .idle, .halfCloseIdle, .drain, .limit, .handedOver:
            ended(by: .relay, end.termination)
        case .finished:
            // The other side's FIN, passed on and answered.
            break
        case .aborted:
            if !flags.contains(.hasEnded) { ended(by: .relay, .aborted) }
        }
    }

    /// Notes who ended it. A break says more than the FIN that may have come before it.
    mutating func ended(by side: RelaySide, _ how: Termination) {
        guard !flags.contains(.hasEnded) || how != .peerFinished && termination == .peerFinished
        else { return }
        flags.insert(.hasEnded)
        endedBy = side
        termination = how
    }
}

/// The pairs of one worker. All memory is taken at the start.
struct PairTable: ~Copyable {
    private var pairs: [Pair?]
    private var free: [Int]

    init(capacity: Int) {
        pairs = Array(repeating: nil, count: capacity)
        free = Array((0..<capacity).reversed())
    }

    /// Puts a pair in; nil where there is no room.
    mutating func insert(_ pair: Pair) -> Int? {
        guard let place = free.popLast() else { return nil }
        pairs[place] = pair
        return place
    }

    mutating func remove(_ place: Int) {
        pairs[place] = nil
        free.append(place)
    }

    /// The pair at a place that is in use.
    subscript(_ place: Int) -> Pair {
        get { pairs[place]! }
        _modify { yield &pairs[place]! }
    }
}
