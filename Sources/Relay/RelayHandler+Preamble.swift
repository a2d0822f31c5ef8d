// PROXY headers on their way through: a client behind another proxy is read at once, for its
// header, and then waits for its upstream as every client does; an upstream gets its own header
// before anything is forwarded to it. These are the only bytes that the relay reads or makes.

public import Engine
import Net
import Synchronization

extension RelayHandler {
    // ---- from clients ----

    /// Whether the connections of an address begin with a PROXY header.
    func isProxy(_ address: SocketAddress) -> Bool {
        plan.proxyFrom.contains { $0.contains(address) }
    }

    /// Reads a client's header before anything else.
    mutating func awaitHeader(_ place: Int, _ effects: inout Effects) {
        preambles[place]?.reader = ProxyHeaderReader()
        dropSettledHeaders()
        let entry = HeaderQueue.Entry(
            client: pairs[place].client,
            place: place,
            deadline: effects.now + plan.headerNanoseconds
        )
        headersAwaited.append(entry)
        askToBeWoken(&effects)
    }

    private func isAwaited(_ entry: HeaderQueue.Entry) -> Bool {
        let end = ends[Int(entry.client.slot)]
        return end.pair == entry.place && end.side == .client
            && pairs[entry.place].client == entry.client
            && preambles[entry.place]?.reader != nil
    }

    private mutating func dropSettledHeaders() {
        while let first = headersAwaited.first, !isAwaited(first) { headersAwaited.removeFirst() }
    }

    /// Cuts those whose header has not come in time.
    mutating func cutOverdueHeaders(_ effects: inout Effects) {
        dropSettledHeaders()
        while let first = headersAwaited.first, first.deadline <= effects.now {
            counters.overdueHeaders.add(1, ordering: .relaxed)
            effects.abort(first.client)
            preambles[first.place] = nil
            dropSettledHeaders()
        }
    }

    /// Takes what a client sends before its bytes can be forwarded.
    mutating func receivedEarly(
        _ bytes: RawSpan,
        on client: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let place = ends[Int(client.slot)].pair
        // Without a preamble the client has been told that there is no upstream.
        guard place >= 0, preambles[place] != nil else { return .consume }
        guard let reading = preambles[place]?.reader?.take(bytes) else {
            // It was on its way while the client was being paused.
            keep(bytes, place)
            return .consume
        }
        switch reading {
        case .more:
            return .consume
        case .malformed:
            counters.malformedHeaders.add(1, ordering: .relaxed)
            preambles[place] = nil
            return .abort
        case .complete(let header, let byteCount):
            preambles[place]?.reader = nil
            keep(bytes.extracting(droppingFirst: byteCount), place)
            return admit(place, header, &effects)
        }
    }

    /// Goes on with a client whose header is known.
    private mutating func admit(
        _ place: Int,
        _ header: ProxyHeader,
        _ effects: inout Effects
    ) -> Verdict {
        // Where it tells of no ends, those of the connection itself hold.
        let ends = header.ends ?? preambles[place]?.header.ends
        preambles[place]?.header = ProxyHeader(ends: ends, tlvs: header.tlvs)
        if let source = header.ends?.source {
            pairs[place].source = source
            pairs[place].isBehindProxy = true
        }
        guard plan.access.permits(pairs[place].source) else {
            counters.refused.add(1, ordering: .relaxed)
            preambles[place] = nil
            return .abort
        }
        effects.pause(pairs[place].client)
        enterRates(place, effects)
        connect(place, &effects)
        return .consume
    }

    private mutating func keep(_ bytes: RawSpan, _ place: Int) {
        bytes.withUnsafeBytes { preambles[place]?.bytes.append(contentsOf: $0) }
    }

    /// A client has sent FIN before its bytes could be forwarded.
    ///
    /// - Returns: whether that is all there is to do for now.
    mutating func finishedEarly(_ place: Int, _ effects: inout Effects) -> Bool {
        guard let preamble = preambles[place] else { return false }
        guard let reader = preamble.reader else {
            pairs[place].flags.insert(.clientFinished)
            return true
        }
        // Nothing at all is what those send who only look whether somebody listens.
        guard reader.hasBegun else { return false }
        counters.malformedHeaders.add(1, ordering: .relaxed)
        effects.abort(pairs[place].client)
        return true
    }

    // ---- to upstreams ----

    /// Sends an upstream what precedes its client's bytes. The client goes on when that has left.
    mutating func sendPreamble(_ place: Int, to upstream: ConnectionID, _ effects: inout Effects) {
        preambles[place]?.begin(plan.proxyTo)
        if preambles[place]?.isOver ?? true { return join(place, upstream, &effects) }
        effects.produce(on: upstream)
    }

    public mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        let place = ends[Int(connection.slot)].pair
        guard place >= 0, let count = preambles[place]?.move(into: &bytes) else { return 0 }
        // What a client sent too early counts, though nothing waits for it.
        _ = plan.rates?.charge(count, to: pairs[place].rated, now: effects.now)
        if preambles[place]?.isOver ?? false { join(place, connection, &effects) }
        return count
    }

    /// From here on bytes go from the client to the upstream.
    private mutating func join(_ place: Int, _ upstream: ConnectionID, _ effects: inout Effects) {
        preambles[place] = nil
        if pairs[place].flags.contains(.clientOpen) {
            let client = pairs[place].client
            ends[Int(client.slot)].partner = upstream
            effects.resume(client)
        }
        if pairs[place].flags.contains(.clientFinished) { effects.finish(upstream) }
    }
}
