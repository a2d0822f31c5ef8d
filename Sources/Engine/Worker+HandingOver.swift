// Handing over: established connections go to another process, and their peers notice nothing.
//
// A connection leaves only at rest: its receive has ended and the last completion of it has been
// handled, everything received has been sent, and no pipe holds anything. Then nothing of it is in
// this process: bytes that have arrived since lie in its socket, and go along. From the offer until
// it is known who has been taken nobody here touches the socket, since the other process may read
// it already; who was not taken is read again.
//
// Few are brought to rest at a time, since nobody serves them meanwhile. Whoever does not come to
// rest, such as a peer that does not read, is served on, and leaves when it does.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    /// How far a worker has come with it.
    struct HandingOver {
        /// Those that are at rest, and those of them that are on offer.
        var rested: [UInt32] = []
        var offered: [UInt32] = []
        /// Those of the last offer, last first, and whether each was taken.
        var judged: [(slot: UInt32, isTaken: Bool)] = []
        /// The walk over all connections: which is next, and whether any are.
        var nextSlot: UInt32 = 0
        var isWalking = true
        /// All that have not left are to be served on.
        var isEnding = false
    }

    /// How many are brought to rest at a time: what a message carries.
    private static var offerMax: Int { DescriptorChannel.descriptorsMax }

    /// Whether connections are to be looked at when they may have become quiet.
    var noticesQuiet: Bool {
        @inline(__always) get { phase == .stopping || phase == .handingOver }
    }

    // ---- what is asked for ----

    @inline(never)
    mutating func attendDesk() {
        for request in control.desk.takeRequests() {
            switch request {
            case .give: beginHandingOver()
            case .look: lookAgain()
            case .taken(let taken): judge(taken)
            case .keep: endHandingOver()
            case .place(let descriptors): place(descriptors)
            case .admit: admitPlaced()
            case .dismiss: dismissPlaced()
            case .close: expectNoMore()
            }
        }
    }

    private mutating func beginHandingOver() {
        guard phase != .stopping else { return control.desk.sayNothingIsLeft() }
        retire()
        phase = .handingOver
        handingOver = HandingOver()
        isHandingOverDue = true
    }

    private mutating func lookAgain() {
        guard handingOver != nil, handingOver?.isWalking == false else { return }
        handingOver?.nextSlot = 0
        handingOver?.isWalking = true
        isHandingOverDue = true
    }

    private mutating func judge(_ taken: [Bool]) {
        guard let offered = handingOver?.offered, offered.count == taken.count else { return }
        handingOver?.judged = zip(offered, taken).reversed().map { (slot: $0, isTaken: $1) }
        handingOver?.offered = []
        isHandingOverDue = true
    }

    private mutating func endHandingOver() {
        guard let offered = handingOver?.offered else { return }
        if !offered.isEmpty { judge(offered.map { _ in false }) }
        handingOver?.isEnding = true
        handingOver?.nextSlot = 0
        isHandingOverDue = true
    }

    // ---- coming to rest ----

    /// Does what is due, as far as there is room for it.
    @inline(never)
    mutating func continueHandingOver() {
        guard hasSeenAllEvents else { return }
        while driver.hasRoom, let (slot, isTaken) = handingOver?.judged.popLast() {
            if isTaken { letGo(slot) } else { serveOn(slot) }
            applyEffects()
        }
        guard let work = handingOver, work.judged.isEmpty else { return }
        if work.isEnding { return bringBack() }
        if work.isWalking, work.offered.isEmpty, work.rested.isEmpty { bringToRest() }
        offerRested()
    }

    /// Brings the next few to rest.
    private mutating func bringToRest() {
        var rest = Self.offerMax
        while rest > 0, driver.hasRoom, let slot = nextOfWalk() {
            guard canLeave(slot) else { continue }
            state.connections[slot].flags.insert(.settling)
            settle(slot)
            rest -= 1
        }
    }

    private mutating func nextOfWalk() -> UInt32? {
        guard let slot = handingOver?.nextSlot, slot < UInt32(state.connections.usedSlots) else {
            handingOver?.isWalking = false
            return nil
        }
        handingOver?.nextSlot = slot + 1
        return slot
    }

    /// Looks again at connections on which something has moved: at the end of a turn, when no
    /// completion of theirs waits to be handled.
    @inline(never)
    mutating func settleAgain() {
        guard hasSeenAllEvents else { return }
        var rest = quietCandidates.count
        while rest > 0, driver.hasRoom, let slot = quietCandidates.popFirst() {
            rest -= 1
            if state.connections[slot].flags.contains([.open, .settling]) { settle(slot) }
        }
        offerRested()
    }

    /// Brings a connection to rest as far as that is in our hands, and notes it where it is.
    private mutating func settle(_ slot: UInt32) {
        guard !state.connections[slot].flags.contains(.parked) else { return }
        // Again where it goes on: a cancellation may miss.
        if state.connections[slot].flags.contains(.receiving) { driver.stopReceiving(slot, &state) }
        guard isAtRest(slot) else { return }
        state.connections[slot].flags.insert(.parked)
        handingOver?.rested.append(slot)
    }

    /// Whether another process could have a connection. One that is about to end does so here, and
    /// a registered file is no descriptor.
    private func canLeave(_ slot: UInt32) -> Bool {
        let flags = state.connections[slot].flags
        let bound: Connection.Flags = [
            .connecting, .paused, .peerFinished, .finishing, .finished, .resetting, .aborting,
            .unwatched,
        ]
        return flags.contains(.open) && flags.isDisjoint(with: bound)
            && !state.connections[slot].descriptor.isRegistered
    }

    /// Whether everything of a connection is in its socket.
    private func isAtRest(_ slot: UInt32) -> Bool {
        let moving: Connection.Flags = [.receiving, .sending, .piped, .producing]
        return canLeave(slot) && state.connections[slot].flags.isDisjoint(with: moving)
            && state.connections[slot].outbox.isEmpty
    }

    private mutating func offerRested() {
        // What became of the last offer comes first.
        guard let work = handingOver, work.judged.isEmpty, !work.isEnding else { return }
        guard work.offered.isEmpty else {
            isHandingOverDue = false
            return
        }
        if work.rested.isEmpty {
            if isHandingOverDue, !work.isWalking { control.desk.sayNothingIsLeft() }
            isHandingOverDue = work.isWalking
            return
        }
        let offered = Array(work.rested.prefix(Self.offerMax))
        handingOver?.rested.removeFirst(offered.count)
        handingOver?.offered = offered
        isHandingOverDue = false
        control.desk.offer(offered.map { state.connections[$0].descriptor })
    }

    // ---- what becomes of them ----

    /// The other process has it. Our own descriptor goes, and with it no FIN.
    private mutating func letGo(_ slot: UInt32) {
        state.connections[slot].flags.subtract([.settling, .parked])
        state.connections[slot].termination = .handedOver
        driver.release(slot, &state)
        closeIfIdle(slot)
    }

    mutating func serveOn(_ slot: UInt32) {
        state.connections[slot].flags.subtract([.settling, .parked])
        receiveIfWanted(slot)
    }

    /// Serves all on that have not left, and ends the handing over.
    private mutating func bringBack() {
        while driver.hasRoom {
            guard let slot = nextOfWalk() else { return resumeRetiring() }
            if state.connections[slot].flags.contains([.open, .settling]) { serveOn(slot) }
        }
    }

    private mutating func resumeRetiring() {
        handingOver = nil
        isHandingOverDue = false
        phase = .retiring
        while quietCandidates.popFirst() != nil {}
        if control.isStopRequested { stop() }
        if control.isCutRequested, isStopping { cut() }
    }
}
