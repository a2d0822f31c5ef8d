// The life of a connection: made, finished from either side, cut, closed. The slot is freed only
// when nothing is in flight for it any more.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    // ---- connecting ----

    @inline(never)
    mutating func connect(to target: Int, tag: UInt32) {
        let descriptor: Descriptor
        switch driver.openSocket(target: target) {
        case .success(let opened): descriptor = opened
        case .failure(let error): return handler.connectFailed(tag: tag, error.code, &effects)
        }
        guard takesConnects, let slot = state.connections.insert(descriptor, isAccepted: false)
        else {
            driver.close(descriptor, reset: false)
            return handler.connectFailed(tag: tag, .noBufferSpace, &effects)
        }
        state.connections[slot].tag = tag
        if policy.connectNanoseconds > 0 {
            timers.set(slot, at: state.now + policy.connectNanoseconds)
        }
        driver.connect(slot, target: target, &state)
    }

    /// A connection stands. It is read once the handler's wishes have been met: it may not want it.
    mutating func opened(_ slot: UInt32, tag: UInt32) {
        let connection = state.connections.id(of: slot)
        watchTimeouts(slot)
        handler.opened(connection, tag: tag, &effects)
        effects.begin(connection)
    }

    @inline(never)
    mutating func connected(_ slot: UInt32) {
        if state.connections[slot].flags.contains(.aborting) {
            return connectFailed(slot, .canceled)
        }
        state.counters.connected += 1
        opened(slot, tag: state.connections[slot].tag)
    }

    @inline(never)
    mutating func connectFailed(_ slot: UInt32, _ error: Errno) {
        let tag = state.connections[slot].tag
        let isOverdue = state.connections[slot].flags.contains(.connectOverdue)
        let error = isOverdue ? Errno.timedOut : error
        driver.close(state.connections[slot].descriptor, reset: false)
        free(slot)
        handler.connectFailed(tag: tag, error, &effects)
    }

    // ---- ending ----

    /// The peer has sent FIN (nil), or the connection broke.
    @inline(never)
    mutating func receiveEnded(_ slot: UInt32, _ error: Errno?) {
        if let error { return abort(slot, reason(for: error, slot)) }
        state.connections[slot].flags.insert(.peerFinished)
        if state.connections[slot].flags.contains(.aborting) { return closeIfIdle(slot) }
        handler.peerFinished(state.connections.id(of: slot), &effects)
        finishIfDrained(slot)
    }

    @inline(never)
    mutating func sendFailed(_ slot: UInt32, _ error: Errno) {
        // What the kernel had not taken goes home with the rest of the outbox.
        state.buffers.finishSending(&state.connections[slot].outbox, byteCount: 0)
        abort(slot, reason(for: error, slot, ofWaitingSend: D.socketsWait))
    }

    /// The way a connection ends that an error broke.
    ///
    /// - Parameter ofWaitingSend: whether it comes from a send that waited in the kernel. From a
    ///   call it is the error itself, and EPIPE is what RST means behind the peer's FIN.
    mutating func reason(
        for error: Errno,
        _ slot: UInt32,
        ofWaitingSend: Bool = false
    ) -> Termination {
        switch ErrnoPolicy.ofTransfer(error) {
        case .ordinaryEnd(.peerReset) where error == .brokenPipe && ofWaitingSend:
            // EPIPE says only that the connection is broken. Where a send was half done, io_uring
            // reports what it sent and forgets the error that stopped it (6.18).
            let transmission = driver.transmission(state.connections[slot].descriptor)
            return (transmission?.unanswered ?? 0) > 0 ? .userTimeout : .peerReset
        case .ordinaryEnd(.keepalive):
            // One error, two timers: probes are sent only while nothing is on its way.
            return driver.hasUnacknowledgedBytes(slot, state) ? .userTimeout : .keepalive
        case .ordinaryEnd(let termination): return termination
        default: return .error
        }
    }

    /// Sends what is queued, then FIN. `termination` says why, where it is this side's own
    /// decision.
    mutating func finish(_ slot: UInt32, because termination: Termination? = nil) {
        state.connections[slot].flags.insert(.finishing)
        // It ends here, and for that it is read until the peer's FIN.
        if state.connections[slot].flags.contains(.settling) { serveOn(slot) }
        if let termination, state.connections[slot].termination == nil {
            state.connections[slot].termination = termination
        }
        finishIfDrained(slot)
    }

    /// Sends FIN when everything queued has left, and closes when the peer's FIN has come too.
    mutating func finishIfDrained(_ slot: UInt32) {
        let flags = state.connections[slot].flags
        guard flags.contains(.finishing), flags.isDisjoint(with: [.aborting, .resetting, .piped]),
            state.connections[slot].outbox.isEmpty
        else { return }
        if flags.contains(.peerFinished) {
            closeIfIdle(slot)
        } else if !flags.contains(.finished), !flags.contains(.connecting) {
            state.connections[slot].flags.insert(.finished)
            state.connections[slot].progressAt = state.nowMilliseconds
            if policy.graceNanoseconds > 0 {
                timers.set(slot, at: state.now + policy.graceNanoseconds)
            }
            if !driver.finish(slot, &state) { return abort(slot, .error) }
            if KnownFault.noLingering.isBack, isStopping { abort(slot, .drain) }
        }
    }

    /// Sends what is queued, then RST. RST makes both kernels forget what is still on its way, so
    /// what was sent has to be acknowledged first.
    mutating func reset(_ slot: UInt32) {
        state.connections[slot].flags.insert(.resetting)
        state.connections[slot].progressAt = state.nowMilliseconds
        resetIfDrained(slot)
    }

    /// Resets a connection when nothing of it is on its way any more, or nothing has moved for the
    /// grace.
    mutating func resetIfDrained(_ slot: UInt32) {
        let flags = state.connections[slot].flags
        guard flags.isDisjoint(with: [.aborting, .piped]), state.connections[slot].outbox.isEmpty
        else { return }
        let silence = elapsed(since: state.connections[slot].progressAt)
        if silence < policy.graceNanoseconds, driver.hasUnacknowledgedBytes(slot, state) {
            timers.set(slot, at: state.now)
        } else {
            abort(slot, .aborted)
        }
    }

    /// Ends a connection at once: what is queued is dropped, what is in flight is brought to its
    /// end.
    @inline(never)
    mutating func abort(_ slot: UInt32, _ termination: Termination) {
        if !state.connections[slot].flags.contains(.aborting) {
            state.connections[slot].flags.insert(.aborting)
            if state.connections[slot].termination == nil {
                state.connections[slot].termination = termination
            }
            driver.cut(slot, &state)
        }
        closeIfIdle(slot)
    }

    /// Closes the descriptor and frees the slot once nothing is in flight.
    @inline(never)
    mutating func closeIfIdle(_ slot: UInt32) {
        putBackFaultsOfClosing(slot)
        let flags = state.connections[slot].flags
        guard flags.isDisjoint(with: [.receiving, .sending, .connecting]) else { return }
        let connection = state.connections.id(of: slot)
        let dropped = state.buffers.discard(&state.connections[slot].outbox)
        countDropped(dropped, on: slot)
        if flags.contains(.piped) { discardPipe(slot) }
        let end = ConnectionEnd(
            termination: state.connections[slot].termination
                ?? (flags.contains(.finished) ? .finished : .peerFinished),
            undeliveredBytes: Int(state.connections[slot].undelivered),
            isCut: flags.contains(.aborting)
        )
        writeRecord(slot, end)
        // Where both sides have sent FIN, closing is silent, as it is behind the peer's RST; a
        // connection that is cut ends with RST.
        let resets =
            end.isCut && end.termination != .peerReset && !KnownFault.noLingering.isBack
        driver.close(state.connections[slot].descriptor, reset: resets)
        // Whoever fed this connection may read again: nothing waits any more.
        resumeFeeder(of: slot)
        free(slot)
        state.counters.closed += 1
        state.counters.terminations.count(end)
        handler.closed(connection, end, &effects)
    }

    /// What a connection that is being closed would have to wait for is taken to be over.
    @inline(__always)
    private mutating func putBackFaultsOfClosing(_ slot: UInt32) {
        if KnownFault.buffersHomeTooEarly.isBack {
            state.buffers.finishSending(&state.connections[slot].outbox, byteCount: 0)
            state.connections[slot].flags.remove(.sending)
        }
        if KnownFault.closedUnderReceive.isBack {
            state.connections[slot].flags.remove(.receiving)
        }
    }

    private mutating func writeRecord(_ slot: UInt32, _ end: ConnectionEnd) {
        if let ledger = admission?.ledger, let place = places[Int(slot)] {
            places[Int(slot)] = nil
            ledger.leave(place)
        }
        guard let journal, let remark = handler.remark(on: state.connections.id(of: slot), end)
        else { return }
        let descriptor = state.connections[slot].descriptor
        let addresses = driver.addresses(descriptor)
        let transmission = driver.transmission(descriptor)
        if !journal.close(slot, end, addresses, transmission, remark, now: state.now) {
            state.counters.recordsDropped += 1
        }
    }

    /// Notes bytes that will never be sent.
    mutating func countDropped(_ byteCount: Int, on slot: UInt32) {
        state.counters.bytesDropped += UInt64(byteCount)
        let sum = UInt64(state.connections[slot].undelivered) + UInt64(byteCount)
        state.connections[slot].undelivered = UInt32(clamping: sum)
    }

    /// Frees a slot. With it and its descriptor, accepting may go on.
    private mutating func free(_ slot: UInt32) {
        timers.remove(slot)
        state.connections.remove(slot)
        // Of what is freed here, at most one more fits: so a full table is left by way of one.
        let room = state.connections.room(slotsEach: state.limits.slotsPerClient)
        if state.deadlines.isSet(.acceptRetry) || room == 1 { resumeAccepting() }
    }
}
