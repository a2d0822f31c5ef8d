// Stopping: no byte that had arrived is lost, and nobody is cut who can still finish. Retiring,
// where another group of workers takes over the listeners, ends nothing at all.
//
// The listeners close at once. A connection with nothing queued and nothing unread gets FIN, at
// once or when its turn has come (Worker+Leaving.swift); one with more gets it when it has sent
// what it received. What arrives after our FIN is read and dropped, so that closing sends no RST,
// until the peer's own FIN comes. The drain timeout bounds it all.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    /// Takes no more connections. Those that are there go on until they end by themselves.
    mutating func retire() {
        guard phase == .serving else { return }
        phase = .retiring
        state.deadlines.clear(.acceptRetry)
        attendAllListeners()
    }

    mutating func stop() {
        guard phase != .stopping else { return }
        phase = .stopping
        state.deadlines.clear(.acceptRetry)
        state.deadlines.set(.stop, at: state.now + policy.drainNanoseconds)
        attendAllListeners()
        if let pace = control.drainPace {
            beginDepartures(pace)
        } else {
            sweep = Sweep(purpose: .finish)
        }
    }

    /// Ends what is left.
    mutating func cut() {
        departures = nil
        state.deadlines.clear(.departure)
        sweep = Sweep(purpose: .cut)
    }

    @inline(never)
    mutating func continueSweep() {
        // Every completion of this turn has been looked at: what is unread lies in the sockets.
        guard var walk = sweep, hasSeenAllEvents else { return }
        if walk.purpose == .depart { return continueDepartures() }
        while driver.hasRoom, walk.nextSlot < UInt32(state.connections.usedSlots) {
            let slot = walk.nextSlot
            walk.nextSlot += 1
            let flags = state.connections[slot].flags
            guard flags.contains(.open), !flags.contains(.parked) else { continue }
            if walk.purpose == .cut || flags.contains(.connecting) {
                abort(slot, .drain)
            } else {
                finishIfQuiet(slot)
            }
            applyEffects()
        }
        sweep = walk.nextSlot < UInt32(state.connections.usedSlots) ? walk : nil
    }

    /// Looks again at connections on which something has moved since the stop: at the end of a
    /// turn, when no completion of theirs waits to be handled.
    @inline(never)
    mutating func lookAtQuietCandidates() {
        guard isStopping else { return settleAgain() }
        guard hasSeenAllEvents else { return }
        var rest = quietCandidates.count
        while rest > 0, driver.hasRoom, let slot = quietCandidates.popFirst() {
            rest -= 1
            finishIfQuiet(slot)
            applyEffects()
        }
    }

    /// Lets a connection go that has nothing left to send and nothing left to read.
    mutating func finishIfQuiet(_ slot: UInt32) {
        if departures != nil { return finishIfLeaving(slot) }
        guard policy.finishesQuiet, isQuiet(slot) else { return }
        finish(slot, because: .drain)
    }

    /// Whether a connection that is not ending has nothing left to send and nothing left to read.
    mutating func isQuiet(_ slot: UInt32) -> Bool {
        let flags = state.connections[slot].flags
        return flags.contains(.open) && flags.isDisjoint(with: [.finishing, .aborting, .piped])
            && state.connections[slot].outbox.isEmpty && !driver.hasUnreadBytes(slot, &state)
    }
}
