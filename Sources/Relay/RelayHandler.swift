// RelayHandler: the relay's logic as a handler. A client is accepted, and not read until a
// connection to an upstream stands; from there what arrives on one side goes to the other in the
// buffers it arrived in. The ends of one side are passed on to the other: FIN as FIN once
// everything before it was sent, RST as RST, and each direction by itself.
//
// Here are the bytes and the ends; how an upstream is found is in RelayHandler+Connecting.swift.

public import Engine
import Net
import Synchronization

/// The relay of one worker.
public struct RelayHandler: Handler, ~Copyable {
    public var asksAddresses: Bool { true }
    public var production: Production {
        plan.proxyTo == nil && plan.proxyFrom.isEmpty ? .none : .little
    }

    /// What is known of a connection by its slot.
    struct End {
        /// Where its bytes go; nil until both ends stand and the preamble is over.
        var partner: ConnectionID?
        var pair = -1
        var side = RelaySide.client
    }

    let plan: RelayPlan
    let counters: RelayCounters
    var chooser: Chooser
    var pairs: PairTable
    var ends: [End]
    /// By the places of their pairs.
    var preambles: [Int: Preamble] = [:]
    var headersAwaited = HeaderQueue()
    /// How many addresses each upstream has, and of which generation they are.
    var addressCounts: [Int]
    var addressGeneration: Int
    /// Connections whose last bytes are not paid for, where bytes in a second are limited.
    var waiting: WaitingLine
    private let limitsRates: Bool

    /// - Parameters:
    ///   - connectionsMax: the slots of the worker, as in its limits: two for each pair.
    ///   - seed: decides what is chosen at random.
    public init(_ plan: RelayPlan, counters: RelayCounters, connectionsMax: Int, seed: UInt64) {
        self.plan = plan
        self.counters = counters
        chooser = Chooser(plan.upstreams, seed: seed)
        pairs = PairTable(capacity: connectionsMax)
        ends = Array(repeating: End(), count: connectionsMax)
        // What has changed since the plan was made is taken note of at the start.
        addressGeneration = -1
        addressCounts = plan.upstreams.upstreams.map(\.addresses.count)
        limitsRates = plan.rates != nil
        waiting = WaitingLine(capacity: plan.rates == nil ? 0 : connectionsMax)
    }

    // ---- the beginning ----

    public mutating func started(_ effects: inout Effects) { refreshAddresses(&effects) }

    public mutating func opened(
        _ connection: ConnectionID,
        tag: UInt32,
        _ effects: inout Effects
    ) {
        if tag > 0 { return upstreamOpened(connection, pair: Int(tag) - 1, &effects) }
        let addresses = effects.addresses
        guard let source = addresses.peer, isProxy(source) || plan.access.permits(source) else {
            counters.refused.add(1, ordering: .relaxed)
            return refuse(connection, &effects)
        }
        guard let place = pairs.insert(Pair(client: connection, source: source)) else {
            return refuse(connection, &effects)
        }
        ends[Int(connection.slot)] = End(pair: place, side: .client)
        if production != .none {
            let ends = addresses.local.flatMap {
                ProxyHeader.Ends(source: source, destination: $0)
            }
            preambles[place] = Preamble(header: ProxyHeader(ends: ends))
        }
        if isProxy(source) { return awaitHeader(place, &effects) }
        effects.pause(connection)
        enterRates(place, effects)
        connect(place, &effects)
    }

    private mutating func refuse(_ connection: ConnectionID, _ effects: inout Effects) {
        ends[Int(connection.slot)] = End()
        effects.abort(connection)
    }

    // ---- bytes ----

    @inline(__always)
    public mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        guard let partner = ends[Int(connection.slot)].partner else {
            return receivedEarly(bytes, on: connection, &effects)
        }
        if limitsRates { charge(bytes.byteCount, to: connection, &effects) }
        return .forward(to: partner)
    }

    public mutating func woke(_ effects: inout Effects) {
        refreshAddresses(&effects)
        cutOverdueHeaders(&effects)
        releasePaid(&effects)
        askToBeWoken(&effects)
    }

    // ---- ends ----

    public mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        let end = ends[Int(connection.slot)]
        guard end.pair >= 0 else { return effects.finish(connection) }
        pairs[end.pair].ended(by: end.side, .peerFinished)
        if let partner = end.partner { return effects.finish(partner) }
        if finishedEarly(end.pair, &effects) { return }
        effects.finish(connection)
    }

    public mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {
        let (place, side) = (ends[Int(connection.slot)].pair, ends[Int(connection.slot)].side)
        let partner = ends[Int(connection.slot)].partner
        ends[Int(connection.slot)] = End()
        if limitsRates { waiting.remove(slot: connection.slot) }
        guard place >= 0 else { return }
        pairs[place].note(end, on: side)
        // While the preamble is not over a client has no partner, and may have an upstream.
        if let other = partner ?? pairs[place].upstream {
            passOn(end, of: side, to: other, place, &effects)
        }
        if side == .client {
            pairs[place].flags.remove(.clientOpen)
        } else {
            pairs[place].flags.remove(.upstreamOpen)
            uncount(place)
        }
        removeIfOver(place)
    }

    /// Ends the other side as this one has ended.
    private mutating func passOn(
        _ end: ConnectionEnd,
        of side: RelaySide,
        to other: ConnectionID,
        _ place: Int,
        _ effects: inout Effects
    ) {
        switch end.termination {
        case .drain where !end.isCut:
            // Its partner was let go together with it, but for one that came to stand later.
            effects.finish(other)
        case .peerFinished, .finished, .idle:
            if side == .client, preambles[place] != nil {
                pairs[place].flags.insert(.clientFinished)
            } else {
                effects.finish(other)
            }
        case .peerReset, .error, .keepalive, .userTimeout, .writeStall, .halfCloseIdle, .drain,
            .limit, .aborted, .handedOver:
            effects.reset(other)
        }
    }

    public func partner(of connection: ConnectionID) -> ConnectionID? {
        ends[Int(connection.slot)].partner
    }

    /// Forgets a pair of which nothing is left.
    mutating func removeIfOver(_ place: Int) {
        let isOver = pairs[place].flags.isDisjoint(with: [.clientOpen, .upstreamOpen, .connecting])
        guard isOver else { return }
        uncount(place)
        if let rated = pairs[place].rated { plan.rates?.leave(rated) }
        preambles[place] = nil
        pairs.remove(place)
    }

    public func remark(on connection: ConnectionID, _ end: ConnectionEnd) -> Remark? {
        let known = ends[Int(connection.slot)]
        guard known.side == .client, known.pair >= 0 else { return nil }
        var pair = pairs[known.pair]
        pair.note(end, on: .client)
        let words = RelayRemark(
            upstream: pair.upstream == nil ? nil : pair.upstreamNumber,
            retries: pair.retries,
            connectMicroseconds: pair.connectNanoseconds / 1000,
            endedBy: pair.endedBy,
            termination: pair.termination
        )
        return Remark(value: words.packed, client: pair.isBehindProxy ? pair.source : nil)
    }
}
