// Accepting: as many connections as there is room for, and nobody lost who waits in a listener's
// queue.
//
// Whatever may change what a listener should do puts it into `listenersDue`; attending to one looks
// at the whole situation anew and makes one submission at most.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    @inline(never)
    mutating func accepted(_ index: Int, _ descriptor: Descriptor) {
        if listeners[index].pauseNanoseconds != Worker.firstAcceptPause {
            listeners[index].pauseNanoseconds = Worker.firstAcceptPause
            control.setAcceptPause(nil)
        }
        listenersDue.append(UInt32(index))
        var place: AddressLedger.Place?
        if let ledger = admission?.ledger, let peer = driver.addresses(descriptor).peer {
            place = ledger.admit(peer, now: state.now)
            guard place != nil else { return refuse(descriptor) }
        }
        guard let slot = state.connections.insert(descriptor, isAccepted: true) else {
            if let place { admission?.ledger?.leave(place) }
            return driver.close(descriptor, reset: true)
        }
        if admission?.ledger != nil { places[Int(slot)] = place }
        state.counters.accepted += 1
        welcome(slot, descriptor)
    }

    /// Begins to serve a client that has a place.
    @inline(__always)
    mutating func welcome(_ slot: UInt32, _ descriptor: Descriptor) {
        driver.adopt(slot, &state)
        if let journal {
            journal.open(slot, peer: driver.addresses(descriptor).peer, now: state.now)
        }
        if handler.asksAddresses { effects.addresses = driver.addresses(descriptor) }
        opened(slot, tag: 0)
        if noticesQuiet { quietCandidates.append(slot) }
    }

    /// One connection too many of its source gets RST, and is counted.
    private mutating func refuse(_ descriptor: Descriptor) {
        state.counters.refused += 1
        state.counters.terminations.count(
            ConnectionEnd(termination: .limit, undeliveredBytes: 0)
        )
        driver.close(descriptor, reset: true)
    }

    @inline(never)
    mutating func acceptEnded(_ index: Int, _ error: Errno) {
        listenersDue.append(UInt32(index))
        guard phase == .serving else { return }
        switch ErrnoPolicy.ofAccept(error) {
        case .again: return
        case .defect: return loseListener(index, error)
        default: pauseAccepting(index, error)
        }
    }

    /// A listener that can never accept again. Asking on would spin; the service decides what
    /// becomes of the rest.
    private mutating func loseListener(_ index: Int, _ error: Errno) {
        state.counters.acceptFailures += 1
        listeners[index].isOpen = false
        // A number that is no socket of ours any more may by now be somebody else's.
        if error != .badDescriptor, error != .notSocket {
            driver.close(listeners[index].descriptor, reset: false)
        }
        control.reportLostListener(error)
    }

    private mutating func pauseAccepting(_ index: Int, _ error: Errno) {
        // Whoever waits in the listener's queue stays there. Accepting goes on after the pause, or
        // as soon as a connection of our own ends.
        state.counters.acceptFailures += 1
        control.setAcceptPause(error)
        let pause = listeners[index].pauseNanoseconds
        listeners[index].isPaused = true
        listeners[index].pauseNanoseconds = min(pause * 2, Worker.longestAcceptPause)
        state.deadlines.set(.acceptRetry, at: state.now + pause)
    }

    @inline(never)
    mutating func resumeAccepting() {
        state.deadlines.clear(.acceptRetry)
        for index in listeners.indices { listeners[index].isPaused = false }
        attendAllListeners()
    }

    mutating func attendAllListeners() {
        for index in listeners.indices { listenersDue.append(UInt32(index)) }
    }

    @inline(never)
    mutating func attendListeners() {
        while driver.hasRoom, let index = listenersDue.popFirst() { attend(Int(index)) }
    }

    /// Does what a listener needs now.
    private mutating func attend(_ index: Int) {
        guard listeners[index].isOpen else { return }
        guard phase == .serving else {
            guard driver.stopAccepting(listener: index, &state) else { return }
            return emptyAndClose(index)
        }
        let room = state.connections.room(slotsEach: state.limits.slotsPerClient)
        let isRoom = room > 0 || KnownFault.acceptWithoutRoom.isBack
        guard !listeners[index].isPaused, isRoom, takesAcceptToken() else { return }
        // A multishot accept takes everything that waits in the queue, so it is used only while all
        // of that would fit; then one at a time.
        let queuedMax = listeners.count * Limits.acceptQueueMax
        let isShort = room <= queuedMax && !KnownFault.acceptWithoutRoom.isBack
        let one = isShort || policy.acceptsPerSecond > 0 || expectsConnections
        driver.accept(listener: index, one: one, &state)
    }

    /// Takes in who still waits in the queue of a listener, and closes it. Closing would reset
    /// them; and where another group has the listener as well, the kernel may have woken us for
    /// them and nobody else (accept is an exclusive waiter): they would wait for the next to come.
    private mutating func emptyAndClose(_ index: Int) {
        // No more can have failed than may have waited.
        var failuresLeft = Limits.acceptQueueMax
        let each = state.limits.slotsPerClient
        while failuresLeft > 0, phase == .stopping || state.connections.room(slotsEach: each) > 0 {
            switch driver.acceptQueued(listeners[index].descriptor) {
            case .success(let descriptor):
                accepted(index, descriptor)
                // The rest is for the next turn: this listener is due again.
                guard driver.hasRoom else { return }
            case .failure(let error) where concernsOneConnection(error):
                failuresLeft -= 1
            case .failure:
                failuresLeft = 0
            }
        }
        listeners[index].isOpen = false
        driver.close(listeners[index].descriptor, reset: false)
    }

    /// Whether an accept failed for a connection that is gone, and the next may be well.
    private func concernsOneConnection(_ error: Errno) -> Bool {
        error != .tryAgain && ErrnoPolicy.ofAccept(error) == .again
    }

    /// Whether the rate of accepting leaves room for another; otherwise it is tried again when it
    /// does. A worker that has to wait has its token already: so each gets its turn.
    private mutating func takesAcceptToken() -> Bool {
        guard let admission, let rate = admission.rate else { return true }
        let moment = acceptAllowedAt ?? admission.bucket.take(1, at: rate, now: state.now)
        if let moment, moment > state.now {
            acceptAllowedAt = moment
            state.deadlines.set(.acceptRetry, at: moment)
            return false
        }
        acceptAllowedAt = nil
        return true
    }
}
