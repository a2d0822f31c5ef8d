// The way of the bytes: received into a buffer, judged by the handler, queued in an outbox, sent,
// and the buffer home again. Nothing is copied between receive and send.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    // ---- receiving ----

    @inline(__always)
    mutating func received(_ slot: UInt32, _ buffer: BufferID) {
        let bytes = state.buffers.bytes(of: buffer)
        noteReceived(slot, bytes.count)
        guard !state.connections[slot].flags.contains(.aborting) else {
            drop(buffer, of: slot)
            return closeIfIdle(slot)
        }
        let connection = state.connections.id(of: slot)
        switch handler.received(bytes.bytes, on: connection, &effects) {
        case .echo:
            deliver(buffer, to: slot, from: slot)
            if state.pipes.isOpen { considerBypass(slot, bytes.count) }
        case .forward(let target):
            if let target = current(target) {
                deliver(buffer, to: target, from: slot)
                if state.pipes.isOpen { considerBypass(slot, bytes.count) }
            } else {
                drop(buffer, of: slot)
            }
        case .consume:
            state.buffers.release(buffer)
        case .abort:
            state.buffers.release(buffer)
            return abort(slot, .aborted)
        }
        if !state.connections[slot].flags.contains(.receiving) { receiveAgain(slot) }
        if noticesQuiet { quietCandidates.append(slot) }
    }

    /// Receives, unless there is a reason not to.
    mutating func receiveIfWanted(_ slot: UInt32) {
        let reasons: Connection.Flags = [
            .receiving, .peerFinished, .throttled, .paused, .aborting, .connecting, .settling,
        ]
        let flags = state.connections[slot].flags
        guard flags.isDisjoint(with: reasons) else { return }
        if flags.contains(.bypassing) { return awaitBypass(slot) }
        if driver.canReceive(state) {
            driver.receive(slot, &state)
        } else {
            starved(slot)
        }
    }

    /// A multishot receive has ended, as any may at any time.
    private mutating func receiveAgain(_ slot: UInt32) {
        guard state.connections[slot].flags.contains(.open) else { return }
        state.counters.rearmed &+= 1
        receiveIfWanted(slot)
    }

    mutating func receiveStopped(_ slot: UInt32) {
        if state.connections[slot].flags.contains(.aborting) { return closeIfIdle(slot) }
        receiveAgain(slot)
        if noticesQuiet { quietCandidates.append(slot) }
    }

    // ---- sending ----

    /// Queues a buffer for a connection and sends it if nothing is ahead of it.
    @inline(__always)
    private mutating func deliver(_ buffer: BufferID, to target: UInt32, from source: UInt32) {
        let flags = state.connections[target].flags
        // A connection that is to finish still takes what was received before its FIN leaves.
        guard flags.isDisjoint(with: [.finished, .aborting]) else {
            return drop(buffer, of: target)
        }
        state.buffers.append(buffer, to: &state.connections[target].outbox)
        state.connections[target].feeder = state.connections.id(of: source)
        state.connections[source].fed = target
        if flags.isDisjoint(with: [.sending, .piped]) || KnownFault.sendsOverlap.isBack {
            send(target)
        } else if D.sendsAtOnce
            || state.connections[target].sendTurn != UInt16(truncatingIfNeeded: state.turn),
            state.buffers.areScarce
                || state.connections[target].outbox.byteCount > UInt32(state.limits.pendingBytesMax)
        {
            // What was tried has not completed: the peer does not read. Where buffers are scarce,
            // the rest of them is for those who do.
            throttle(source)
        }
    }

    private mutating func drop(_ buffer: BufferID, of slot: UInt32) {
        countDropped(Int(state.buffers[buffer].byteCount), on: slot)
        state.buffers.release(buffer)
    }

    /// Sends what is queued, as far as the driver does so at once.
    @inline(__always)
    mutating func send(_ slot: UInt32) {
        while !state.connections[slot].outbox.isEmpty {
            switch driver.send(slot, &state) {
            case .underWay:
                state.connections[slot].sendTurn = UInt16(truncatingIfNeeded: state.turn)
                state.connections[slot].progressAt = state.nowMilliseconds
                return
            case .sent(let byteCount):
                account(slot, byteCount)
            case .failed(let error):
                return abort(slot, reason(for: error, slot))
            }
        }
    }

    @inline(__always)
    mutating func sent(_ slot: UInt32, _ byteCount: Int) {
        account(slot, KnownFault.shortSendsMissed.isBack ? bytesInFlight(slot) : byteCount)
        let flags = state.connections[slot].flags
        if flags.contains(.aborting) { return closeIfIdle(slot) }
        send(slot)
        if state.connections[slot].outbox.byteCount <= UInt32(state.limits.pendingBytesLow) {
            resumeFeeder(of: slot)
        }
        let waits: Connection.Flags = [.producing, .finishing, .resetting, .piped]
        if !flags.isDisjoint(with: waits) { continueDraining(slot) }
        if noticesQuiet { quietCandidates.append(slot) }
    }

    /// Notes what a send took, and brings its buffers home.
    @inline(__always)
    private mutating func account(_ slot: UInt32, _ byteCount: Int) {
        noteSent(slot, byteCount)
        let isShort = state.buffers.finishSending(
            &state.connections[slot].outbox,
            byteCount: byteCount
        )
        if isShort { state.counters.shortSends &+= 1 }
    }

    /// Counts what a send took.
    @inline(__always)
    mutating func noteSent(_ slot: UInt32, _ byteCount: Int) {
        state.counters.sends &+= 1
        state.counters.bytesSent &+= UInt64(byteCount)
        state.connections[slot].progressAt = state.nowMilliseconds
        journal?.sent(slot, byteCount)
    }

    /// Counts what a receive brought.
    @inline(__always)
    mutating func noteReceived(_ slot: UInt32, _ byteCount: Int) {
        state.connections[slot].receivedAt = state.nowMilliseconds
        journal?.received(slot, byteCount)
        state.counters.receives &+= 1
        state.counters.bytesReceived &+= UInt64(byteCount)
    }

    /// Bytes of the send in flight.
    private func bytesInFlight(_ slot: UInt32) -> Int {
        var sum = 0
        var buffer = state.connections[slot].outbox.first
        for _ in 0..<state.connections[slot].outbox.sendingCount {
            sum += Int(state.buffers[buffer].byteCount)
            buffer = state.buffers[buffer].next
        }
        return sum
    }

    /// Goes on with what waits for the outbox to empty.
    mutating func continueDraining(_ slot: UInt32) {
        if state.connections[slot].flags.contains([.piped, .open]) { drainPipe(slot) }
        if state.connections[slot].flags.contains([.producing, .open]) { produce(slot) }
        if state.connections[slot].flags.contains([.resetting, .open]) { resetIfDrained(slot) }
        if state.connections[slot].flags.contains([.finishing, .open]) { finishIfDrained(slot) }
    }

    /// Asks the handler for bytes until it has none, the peer lags, or no buffer is free.
    mutating func produce(_ slot: UInt32) {
        guard state.connections[slot].flags.isDisjoint(with: [.finished, .aborting]) else { return }
        fillOutbox(slot)
        guard state.connections[slot].flags.isDisjoint(with: [.sending, .piped]) else { return }
        send(slot)
        // Where everything left at once there may be more: in a later turn, for others wait too.
        let flags = state.connections[slot].flags
        if flags.contains([.open, .producing]), !flags.contains(.sending) {
            waitingProducers.append(slot)
        }
    }

    private mutating func fillOutbox(_ slot: UInt32) {
        let connection = state.connections.id(of: slot)
        while state.connections[slot].outbox.byteCount < UInt32(state.limits.pendingBytesMax) {
            guard let buffer = state.buffers.take() else { return waitingProducers.append(slot) }
            let memory = UnsafeMutableRawBufferPointer(
                start: state.buffers.start(of: buffer),
                count: state.buffers.bufferBytes
            )
            var bytes = memory.mutableBytes
            let byteCount = handler.produce(into: &bytes, on: connection, &effects)
            let isLast = byteCount < state.buffers.bufferBytes
            if isLast { state.connections[slot].flags.remove(.producing) }
            guard byteCount > 0 else { return state.buffers.release(buffer) }
            state.buffers.fill(buffer, byteCount: byteCount)
            state.buffers.append(buffer, to: &state.connections[slot].outbox)
            if isLast { return }
        }
    }

    // ---- back-pressure ----

    private mutating func throttle(_ slot: UInt32) {
        if !state.connections[slot].flags.contains(.throttled) {
            state.counters.throttled += 1
            state.connections[slot].flags.insert(.throttled)
        }
        // Again where bytes come though it is throttled: the cancellation may have missed.
        if state.connections[slot].flags.contains(.receiving) { driver.stopReceiving(slot, &state) }
    }

    @inline(__always)
    mutating func resumeFeeder(of slot: UInt32) {
        guard let feeder = current(state.connections[slot].feeder),
            state.connections[feeder].flags.contains(.throttled)
        else { return }
        state.connections[feeder].flags.remove(.throttled)
        receiveIfWanted(feeder)
    }

    /// Whether what a connection has received waits to be sent, by itself or by another: then its
    /// being sent resumes the connection.
    private func waitsForItsBytes(_ slot: UInt32) -> Bool {
        let fed = state.connections[slot].fed
        return fed != .max && !state.connections[fed].outbox.isEmpty
            && state.connections[fed].feeder == state.connections.id(of: slot)
    }

    // ---- want of buffers ----

    /// A receive found no buffer: the connection waits its turn.
    mutating func starved(_ slot: UInt32) {
        if state.connections[slot].flags.contains(.aborting) { return closeIfIdle(slot) }
        if KnownFault.starvedAskAtOnce.isBack { return driver.receive(slot, &state) }
        state.counters.starved += 1
        starvedReceivers.append(slot)
        if noticesQuiet { quietCandidates.append(slot) }
    }

    /// Whether waiting would be wrong: buffers are there, and someone wants them.
    var canFeed: Bool {
        @inline(__always) get {
            buffersReadyLastTurn > 0 || (!waitingProducers.isEmpty && state.buffers.freeCount > 0)
        }
    }

    /// Lets those who wait receive again, now that buffers have come home.
    ///
    /// An armed multishot receive takes several buffers, so only an eighth as many are let in as
    /// buffers are ready, and only when an eighth of the supply is: feeding one for every single
    /// buffer would only starve the next. Where no more come home from one turn to the next, what
    /// is there has to do: the rest may be held for long. On epoll each takes one, and all that fit
    /// are let in.
    ///
    /// Where buffers are scarce, those who hold some already wait until these have left: so readers
    /// that do not read keep a part of the pool, and the rest goes round among the others.
    mutating func feedStarved() {
        let ready = driver.supplyReceivers(&state)
        let few = max(1, driver.supplyMax(state) * D.buffersPerReceiver / 64)
        if ready > 0, ready >= few || ready == buffersReadyLastTurn {
            var share = max(1, ready / D.buffersPerReceiver)
            while share > 0, driver.hasRoom, let slot = starvedReceivers.popFirst() {
                guard state.connections[slot].flags.contains(.open) else { continue }
                if state.buffers.areScarce, waitsForItsBytes(slot) {
                    throttle(slot)
                    continue
                }
                receiveIfWanted(slot)
                share -= 1
            }
        }
        buffersReadyLastTurn = starvedReceivers.isEmpty ? 0 : ready
    }

    /// Lets each of those who have more to produce do so once.
    mutating func resumeProducers() {
        var rest = waitingProducers.count
        while rest > 0, state.buffers.freeCount > 0, driver.hasRoom,
            let slot = waitingProducers.popFirst()
        {
            rest -= 1
            if state.connections[slot].flags.contains([.open, .producing]) { produce(slot) }
            applyEffects()
        }
    }
}
