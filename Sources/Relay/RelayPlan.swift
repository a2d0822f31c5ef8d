// RelayPlan: what a relay is to do with its clients, beside which upstreams it has; and what its
// workers count of it.

public import Engine
public import Net
import Synchronization

/// What is told to a client for which no upstream can be had.
public enum ConnectFailure: String, CaseIterable, Sendable {
    /// The connection ends in order, without a byte.
    case fin
    /// It is cut.
    case rst
}

/// How a relay treats its clients.
public struct RelayPlan: Sendable {
    /// Where connections go.
    public var upstreams: UpstreamSet
    /// Who may connect. Where a client comes with a PROXY header, that header's source is judged.
    public var access = AccessList()
    /// Networks whose connections begin with a PROXY header: those of the proxies in front.
    public var proxyFrom: [AddressPrefix] = []
    /// How long a PROXY header may take to arrive.
    public var headerNanoseconds: UInt64 = 5 * .nanosecondsPerSecond
    /// What upstreams are told of their clients before anything else; nil for nothing.
    public var proxyTo: ProxyVersion?
    /// How many bytes are passed on in a second; nil for any number.
    public var rates: ByteRates?
    /// How many other upstreams are tried for a client whose first one cannot be reached.
    public var retries = 2
    /// What becomes of a client that no upstream can be had for.
    public var failure = ConnectFailure.rst

    /// A relay to some upstreams, everything else by default.
    public init(upstreams: UpstreamSet) { self.upstreams = upstreams }

    /// The targets of a group's plan that the relay's handlers connect to.
    public var targets: [Target] {
        upstreams.upstreams.flatMap { upstream in
            // Each has its places, whether it fills them or not.
            let addresses = upstream.addresses
            return (0..<Upstream.addressesMax).map {
                Target(address: addresses[min($0, addresses.count - 1)])
            }
        }
    }
}

/// Counts of a relay, of all its workers together.
public final class RelayCounters: Sendable {
    let refused = Atomic<UInt64>(0)
    let retried = Atomic<UInt64>(0)
    let unserved = Atomic<UInt64>(0)
    let malformedHeaders = Atomic<UInt64>(0)
    let overdueHeaders = Atomic<UInt64>(0)
    let ratePauses = Atomic<UInt64>(0)

    /// All zero.
    public init() {}

    /// Every count with its name.
    public var fields: [(name: String, value: UInt64)] {
        [
            ("access_denied", refused.load(ordering: .relaxed)),
            ("connect_retries", retried.load(ordering: .relaxed)),
            ("no_upstream", unserved.load(ordering: .relaxed)),
            ("proxy_header_malformed", malformedHeaders.load(ordering: .relaxed)),
            ("proxy_header_overdue", overdueHeaders.load(ordering: .relaxed)),
            ("rate_pauses", ratePauses.load(ordering: .relaxed)),
        ]
    }
}

/// What a relay says of a client's connection in its record: packed into `Remark.value`.
public struct RelayRemark: Equatable, Sendable {
    /// The number of the upstream; nil where none was reached.
    public var upstream: Int?
    /// How many upstreams were tried in vain.
    public var retries: Int
    /// How long the connect took, in whole microseconds; at most some 19 hours.
    public var connectMicroseconds: UInt64
    /// Who ended it, and how.
    public var endedBy: RelaySide
    public var termination: Termination

    init(
        upstream: Int?,
        retries: Int,
        connectMicroseconds: UInt64,
        endedBy: RelaySide,
        termination: Termination
    ) {
        self.upstream = upstream
        self.retries = retries
        self.connectMicroseconds = connectMicroseconds
        self.endedBy = endedBy
        self.termination = termination
    }

    // Bits: 0-6 upstream + 1, 7-14 retries, 15-50 microseconds, 51-52 side, 53-60 termination.

    /// From its packed form.
    public init?(packed: UInt64) {
        guard let side = RelaySide(rawValue: UInt8(packed >> 51 & 3)),
            let termination = Termination(rawValue: UInt8(truncatingIfNeeded: packed >> 53))
        else { return nil }
        let number = Int(packed & 127)
        upstream = number == 0 ? nil : number - 1
        retries = Int(packed >> 7 & 255)
        connectMicroseconds = packed >> 15 & (1 << 36 - 1)
        endedBy = side
        self.termination = termination
    }

    /// Its packed form.
    public var packed: UInt64 {
        UInt64(upstream.map { $0 + 1 } ?? 0)
            | UInt64(min(retries, 255)) << 7
            | min(connectMicroseconds, 1 << 36 - 1) << 15
            | UInt64(endedBy.rawValue) << 51
            | UInt64(termination.rawValue) << 53
    }
}
