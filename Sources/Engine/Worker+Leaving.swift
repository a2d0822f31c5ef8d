// Leaving: a stop at a pace. Connections are let go one after the other, those first on which
// nothing has moved for longest, and each is served as before until its turn has come.
//
// The order is made at the stop, so no message costs anything for it. Whoever has moved since is
// passed over, and gets its turn when all others have had theirs; so does one whose peer spoke
// last, since a relay's upstream may owe it an answer. In the last tenth of the drain timeout there
// is no pace: who has not been let go by then still gets FIN, and time to answer it.

import Net

/// The turns of the connections of a worker that stops at a pace.
struct Departures {
    let pace: DrainPace
    /// When the stop was, in milliseconds; wraps.
    let stoppedAt: UInt32
    /// From when on there is no pace.
    let hurriesAt: UInt64
    /// When the next one may go: it has been asked of the pace, and has not gone yet.
    var allowedAt: UInt64?
    /// Each connection's silence and slot in one number: who was silent longest is least.
    private var order: [UInt64] = []
    private var nextPlace = 0
    /// How often an order was made.
    private var orderCount = 0

    init(_ pace: DrainPace, stoppedAt: UInt32, hurriesAt: UInt64) {
        self.pace = pace
        self.stoppedAt = stoppedAt
        self.hurriesAt = hurriesAt
    }

    /// Whether those who have moved since the stop are passed over.
    var isFirstRound: Bool { orderCount == 1 }

    /// The next slot of the order.
    var first: UInt32? {
        nextPlace < order.count ? UInt32(truncatingIfNeeded: order[nextPlace]) : nil
    }

    mutating func dropFirst() { nextPlace += 1 }

    /// Begins a round.
    ///
    /// - Parameter silences: the connections, each with the milliseconds for which it was silent.
    /// - Returns: whether there is anybody.
    mutating func makeOrder(_ silences: [(slot: UInt32, milliseconds: UInt32)]) -> Bool {
        order = silences.map { UInt64(~$0.milliseconds) << 32 | UInt64($0.slot) }
        order.sort()
        nextPlace = 0
        orderCount += 1
        return !order.isEmpty
    }
}

extension Worker where D: ~Copyable, H: ~Copyable {
    /// Stops at a pace.
    mutating func beginDepartures(_ pace: DrainPace) {
        departures = Departures(
            pace,
            stoppedAt: state.nowMilliseconds,
            hurriesAt: state.now + policy.pacedDrainNanoseconds
        )
        askForDeparture()
    }

    /// Has turns go on, where they do not already.
    private mutating func askForDeparture() {
        guard sweep == nil, !state.deadlines.isSet(.departure) else { return }
        state.deadlines.set(.departure, at: state.now)
    }

    /// Lets go of as many as the pace allows by now.
    @inline(never)
    mutating func continueDepartures() {
        while driver.hasRoom {
            guard let slot = nextToLeave(), isDepartureAllowed() else {
                sweep = nil
                return
            }
            departures?.allowedAt = nil
            departures?.dropFirst()
            state.connections[slot].flags.insert(.leaving)
            finishIfLeaving(slot)
            applyEffects()
        }
    }

    /// Whether another may go now; otherwise it is tried again when it may.
    private mutating func isDepartureAllowed() -> Bool {
        guard let departures, state.now < departures.hurriesAt else { return true }
        let moment = departures.allowedAt ?? departures.pace.nextMoment(now: state.now)
        self.departures?.allowedAt = moment
        guard moment > state.now else { return true }
        state.deadlines.set(.departure, at: min(moment, departures.hurriesAt))
        return false
    }

    /// Whose turn it is; nil where nobody waits for one.
    private mutating func nextToLeave() -> UInt32? {
        while true {
            while let slot = departures?.first {
                if mayLeave(slot), !isPassedOver(slot) { return slot }
                departures?.dropFirst()
            }
            guard makeOrder() else { return nil }
        }
    }

    private mutating func makeOrder() -> Bool {
        var silences: [(slot: UInt32, milliseconds: UInt32)] = []
        silences.reserveCapacity(state.connections.count)
        for slot in 0..<UInt32(state.connections.usedSlots) where mayLeave(slot) {
            let silence = self.silences(of: slot)
            silences.append((slot, min(silence.received, silence.sent)))
        }
        return departures?.makeOrder(silences) ?? false
    }

    /// Whether a connection waits for its turn. One that was made for another goes with it, one
    /// that is ending needs none, and one that is parked may be another process's.
    private func mayLeave(_ slot: UInt32) -> Bool {
        let flags = state.connections[slot].flags
        return flags.contains([.open, .accepted])
            && flags.isDisjoint(with: [
                .leaving, .finishing, .peerFinished, .aborting, .resetting, .parked,
            ])
    }

    private func isPassedOver(_ slot: UInt32) -> Bool {
        guard let departures, departures.isFirstRound, state.now < departures.hurriesAt else {
            return false
        }
        let silence = silences(of: slot)
        return min(silence.received, silence.sent) < state.nowMilliseconds &- departures.stoppedAt
            || silence.received < silence.sent
    }

    /// For how long nothing has come and nothing has gone, in milliseconds.
    private func silences(of slot: UInt32) -> (received: UInt32, sent: UInt32) {
        (
            received: state.nowMilliseconds &- state.connections[slot].receivedAt,
            sent: state.nowMilliseconds &- state.connections[slot].progressAt
        )
    }

    /// Lets a connection go whose turn has come, and the one that goes with it, once nothing of
    /// either is on its way.
    mutating func finishIfLeaving(_ slot: UInt32) {
        guard state.connections[slot].flags.contains(.leaving) else {
            if mayLeave(slot) { askForDeparture() }
            return
        }
        guard let partner = partner(of: slot) else {
            if isQuiet(slot) { finish(slot, because: .drain) }
            return
        }
        // One step of the worker ends one connection: the other is looked at in a moment.
        let isFirst = !hasBeenLetGo(partner)
        if isFirst { state.connections[partner].flags.insert(.leaving) }
        guard isQuiet(slot), !isFirst || isQuiet(partner) else { return }
        finish(slot, because: .drain)
        if isFirst { quietCandidates.append(partner) }
    }

    private func hasBeenLetGo(_ slot: UInt32) -> Bool {
        state.connections[slot].flags.contains([.leaving, .finishing])
            && state.connections[slot].termination == .drain
    }

    private func partner(of slot: UInt32) -> UInt32? {
        guard let partner = handler.partner(of: state.connections.id(of: slot)) else { return nil }
        return current(partner)
    }

    /// Whether connections are made. Those who wait for their turn may need them.
    var takesConnects: Bool { !isStopping || departures != nil }
}
