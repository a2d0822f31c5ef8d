// The life of a connection: made, finished from either side, cut, closed. The slot is freed only
// when nothing is in flight for it any more.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    // ---- connecting ----

    @inline(never)
    mutating func connect(to target: Int, tag: UInt32) {
        let descriptor: Descriptor
        switch driver.openSocket(targets[target].family) {
        case .success(let opened): descriptor = opened
        case .failure(let error): return handler.connectFailed(tag: tag, error.code, &effects)
        }
        guard !isStopping, let slot = state.connections.insert(descriptor) else {
            driver.close(descriptor, reset: false)
            return handler.connectFailed(tag: tag, .noBufferSpace, &effects)
        }
        state.connections[slot].tag = tag
        driver.connect(slot, target: target, &state)
    }

    @inline(never)
    mutating func connected(_ slot: UInt32) {
        if state.connections[slot].flags.contains(.aborting) {
            return connectFailed(slot, .canceled)
        }
        state.counters.connected += 1
        let tag = state.connections[slot].tag
        handler.opened(state.connections.id(of: slot), tag: tag, &effects)
        receiveIfWanted(slot)
    }

    @inline(never)
    mutating func connectFailed(_ slot: UInt32, _ error: Errno) {
        let tag = state.connections[slot].tag
        driver.close(state.connections[slot].descriptor, reset: false)
        free(slot)
        handler.connectFailed(tag: tag, error, &effects)
    }

    // ---- ending ----

    /// The peer has sent FIN (nil), or the connection broke.
    @inline(never)
    mutating func receiveEnded(_ slot: UInt32, _ error: Errno?) {
        if let error { return abort(slot, .failed(error)) }
        state.connections[slot].flags.insert(.peerFinished)
        if state.connections[slot].flags.contains(.aborting) { return closeIfIdle(slot) }
        handler.peerFinished(state.connections.id(of: slot), &effects)
        finishIfDrained(slot)
    }

    @inline(never)
    mutating func sendFailed(_ slot: UInt32, _ error: Errno) {
        // What the kernel had not taken goes home with the rest of the outbox.
        state.buffers.finishSending(&state.connections[slot].outbox, byteCount: 0)
        abort(slot, .failed(error))
    }

    /// Sends FIN when everything queued has left, and closes when the peer's FIN has come too.
    mutating func finishIfDrained(_ slot: UInt32) {
        let flags = state.connections[slot].flags
        guard flags.contains(.finishing), !flags.contains(.aborting),
            state.connections[slot].outbox.isEmpty
        else { return }
        if flags.contains(.peerFinished) {
            closeIfIdle(slot)
        } else if !flags.contains(.finished), !flags.contains(.connecting) {
            state.connections[slot].flags.insert(.finished)
            driver.finish(slot, &state)
        }
    }

    /// Ends a connection at once: what is queued is dropped, what is in flight is brought to its
    /// end.
    @inline(never)
    mutating func abort(_ slot: UInt32, _ end: ConnectionEnd) {
        if !state.connections[slot].flags.contains(.aborting) {
            state.connections[slot].flags.insert(.aborting)
            state.connections[slot].end = end
            driver.cut(slot, &state)
        }
        closeIfIdle(slot)
    }

    /// Closes the descriptor and frees the slot once nothing is in flight.
    @inline(never)
    mutating func closeIfIdle(_ slot: UInt32) {
        let flags = state.connections[slot].flags
        guard flags.isDisjoint(with: [.receiving, .sending, .connecting]) else { return }
        let end = state.connections[slot].end
        let connection = state.connections.id(of: slot)
        let dropped = state.buffers.discard(&state.connections[slot].outbox)
        state.counters.bytesDropped += UInt64(dropped)
        driver.close(state.connections[slot].descriptor, reset: end == .aborted)
        // Whoever fed this connection may read again: nothing waits any more.
        resumeFeeder(of: slot)
        free(slot)
        state.counters.closed += 1
        handler.closed(connection, end, &effects)
    }

    /// Frees a slot. With it and its descriptor, accepting may go on.
    private mutating func free(_ slot: UInt32) {
        state.connections.remove(slot)
        if state.deadlines.isSet(.acceptRetry) || state.connections.room == 1 { resumeAccepting() }
    }
}
