// Taking over: connections of another process, which has left them at rest, come to be ours.
//
// They are given a place first, and nobody touches them until it is certain that the other process
// does not either: it hears who has a place, gives those up, and only then are they served. While
// some may come connections are accepted one at a time, so that it is known how many places are
// free.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    /// Finds places, as many as there are beside those for accepts that are under way.
    mutating func place(_ descriptors: [Descriptor]) {
        let placed = descriptors.map { descriptor in
            let room = state.connections.room(slotsEach: state.limits.slotsPerClient)
            guard phase != .stopping, room > listeners.count,
                let slot = state.connections.insert(descriptor, isAccepted: true)
            else { return false }
            state.connections[slot].flags.insert(.parked)
            arrivals.append(slot)
            return true
        }
        control.desk.sayPlaced(placed)
    }

    /// Serves those that have a place.
    mutating func admitPlaced() {
        for slot in arrivals { admit(slot) }
        arrivals.removeAll(keepingCapacity: true)
    }

    private mutating func admit(_ slot: UInt32) {
        let descriptor = state.connections[slot].descriptor
        state.connections[slot].flags.remove(.parked)
        state.counters.inherited += 1
        if let ledger = admission?.ledger, let peer = driver.addresses(descriptor).peer {
            places[Int(slot)] = ledger.enterAnyway(peer, now: state.now)
        }
        welcome(slot, descriptor)
    }

    /// Forgets them; their descriptors are closed by whoever brought them.
    mutating func dismissPlaced() {
        for slot in arrivals { state.connections.remove(slot) }
        arrivals.removeAll(keepingCapacity: true)
        attendAllListeners()
    }

    /// Accepts as usual again.
    mutating func expectNoMore() {
        expectsConnections = false
        attendAllListeners()
    }
}
