// How a client comes to its upstream: one is chosen, its addresses are tried in their order, and
// where none of them can be reached another upstream, as often as the plan allows. Nothing of the
// client has been read by then, so no byte can have gone to two of them.

public import Engine
public import Net
import Synchronization

extension RelayHandler {
    // ---- choosing ----

    /// Finds an upstream for a client and connects to it.
    mutating func connect(_ place: Int, _ effects: inout Effects) {
        let (source, tried) = (pairs[place].source, pairs[place].tried)
        guard let number = chooser.choose(source: source, now: effects.now, tried: tried) else {
            return leaveUnserved(place, &effects)
        }
        pairs[place].upstreamNumber = number
        pairs[place].addressNumber = 0
        pairs[place].flags.insert(.counted)
        connectToAddress(place, &effects)
    }

    private mutating func connectToAddress(_ place: Int, _ effects: inout Effects) {
        pairs[place].flags.insert(.connecting)
        pairs[place].connectStartedAt = effects.now
        let target = plan.upstreams.target(pairs[place].upstreamNumber, pairs[place].addressNumber)
        effects.connect(to: target, tag: UInt32(truncatingIfNeeded: place + 1))
    }

    /// Takes note of where upstreams are now. A connect under way goes on to where they were.
    mutating func refreshAddresses(_ effects: inout Effects) {
        let generation = plan.upstreams.generation
        guard generation != addressGeneration else { return }
        addressGeneration = generation
        for (number, upstream) in plan.upstreams.upstreams.enumerated() {
            let addresses = upstream.addresses
            addressCounts[number] = addresses.count
            for (place, address) in addresses.enumerated() {
                effects.retarget(plan.upstreams.target(number, place), to: address)
            }
        }
    }

    // ---- what comes of it ----

    mutating func upstreamOpened(
        _ connection: ConnectionID,
        pair place: Int,
        _ effects: inout Effects
    ) {
        let client = pairs[place].client
        pairs[place].flags.remove(.connecting)
        pairs[place].flags.insert(.upstreamOpen)
        pairs[place].upstream = connection
        pairs[place].connectNanoseconds = effects.now - pairs[place].connectStartedAt
        plan.upstreams.upstreams[pairs[place].upstreamNumber].connected(now: effects.now)
        ends[Int(connection.slot)] = End(partner: client, pair: place, side: .upstream)
        guard pairs[place].flags.contains(.clientOpen) else { return effects.abort(connection) }
        guard preambles[place] == nil else { return sendPreamble(place, to: connection, &effects) }
        ends[Int(client.slot)].partner = connection
        effects.resume(client)
    }

    public mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects) {
        let place = Int(tag) - 1
        pairs[place].flags.remove(.connecting)
        guard pairs[place].flags.contains(.clientOpen) else { return removeIfOver(place) }
        // A want of this host says nothing of the upstream, and another would not help.
        if RelayHandler.isOurs(error) { return leaveUnserved(place, &effects) }
        pairs[place].addressNumber += 1
        if pairs[place].addressNumber < addressCounts[pairs[place].upstreamNumber] {
            return connectToAddress(place, &effects)
        }
        failed(place, &effects)
    }

    /// An upstream could not be reached: the next one.
    private mutating func failed(_ place: Int, _ effects: inout Effects) {
        let number = pairs[place].upstreamNumber
        plan.upstreams.upstreams[number].connectFailed(now: effects.now)
        uncount(place)
        pairs[place].tried |= 1 << UInt64(number)
        guard pairs[place].retries < plan.retries else { return leaveUnserved(place, &effects) }
        pairs[place].retries += 1
        counters.retried.add(1, ordering: .relaxed)
        connect(place, &effects)
    }

    private static func isOurs(_ error: Errno) -> Bool {
        switch error {
        case .tooManyFiles, .tooManyFilesInSystem, .noBufferSpace, .outOfMemory,
            .addressNotAvailable, .canceled:
            true
        default: false
        }
    }

    /// No upstream can be had: the client is told.
    private mutating func leaveUnserved(_ place: Int, _ effects: inout Effects) {
        uncount(place)
        preambles[place] = nil
        counters.unserved.add(1, ordering: .relaxed)
        pairs[place].ended(by: .upstream, .error)
        let client = pairs[place].client
        switch plan.failure {
        case .rst: effects.abort(client)
        case .fin:
            // It is read on, or its bytes would make a reset of our FIN.
            effects.finish(client)
            effects.resume(client)
        }
    }

    /// Gives back what the pair counts for at its upstream.
    mutating func uncount(_ place: Int) {
        guard pairs[place].flags.contains(.counted) else { return }
        pairs[place].flags.remove(.counted)
        plan.upstreams.upstreams[pairs[place].upstreamNumber].release()
    }
}
