// The bypass: bytes that arrive in large amounts go back, or to another connection, through a pipe,
// from socket to socket, without being copied (splice(2)). It only ever makes the ordinary way
// faster: whenever something is out of the ordinary (no pipe is free, FIN, an error, an urgent
// byte, a kernel that does not do it) the connection is read into buffers again.
//
// A connection is either read into buffers or goes through pipes. The change is made while nothing
// of the former is in flight, and a pipe is empty before the next one is filled, so order is kept.
// While a pipe holds bytes its source is not asked for more: that is the back-pressure.

import Net

/// How many receives in a row have to be large before a connection is bypassed, and how many small
/// ones end that.
private let bypassStreak: UInt8 = 4

extension Worker where D: ~Copyable, H: ~Copyable {
    // ---- coming and going ----

    /// Begins to bypass a connection whose receives have been large for a while.
    @inline(__always)
    mutating func considerBypass(_ slot: UInt32, _ byteCount: Int) {
        let isLarge = byteCount >= state.limits.largeBytes
        guard isLarge || state.connections[slot].bulk > 0 else { return }
        noteSize(slot, isLarge: isLarge)
    }

    @inline(never)
    private mutating func noteSize(_ slot: UInt32, isLarge: Bool) {
        let flags = state.connections[slot].flags
        guard !flags.contains(.bypassing) else { return }
        state.connections[slot].bulk = isLarge ? state.connections[slot].bulk + 1 : 0
        guard state.connections[slot].bulk >= bypassStreak else { return }
        state.connections[slot].bulk = bypassStreak - 1
        guard let target = bypassTarget(of: slot), !flags.contains(.aborting),
            !state.connections[slot].descriptor.isRegistered,
            !state.connections[target].descriptor.isRegistered
        else { return }
        state.connections[slot].bulk = bypassStreak
        state.connections[slot].flags.insert(.bypassing)
        state.counters.bypasses &+= 1
        if flags.contains(.receiving) { driver.stopReceiving(slot, &state) }
    }

    /// Where the bytes of a connection go; nil where they can go nowhere.
    private func bypassTarget(of slot: UInt32) -> UInt32? {
        let target = state.connections[slot].fed
        guard target != .max, state.connections[target].feeder == state.connections.id(of: slot),
            state.connections[target].flags.contains(.open),
            state.connections[target].flags.isDisjoint(with: [.finished, .aborting])
        else { return nil }
        return target
    }

    // ---- from socket to socket ----

    /// Waits for bytes, unless those before them are still in the pipe.
    mutating func awaitBypass(_ slot: UInt32) {
        if let target = bypassTarget(of: slot),
            state.connections[target].flags.contains(.piped)
        {
            return
        }
        driver.awaitReadable(slot, &state)
    }

    @inline(never)
    mutating func readable(_ slot: UInt32, hasBytes: Bool) {
        let flags = state.connections[slot].flags
        if flags.contains(.aborting) { return closeIfIdle(slot) }
        // It has been stopped since; whoever resumes it asks again.
        if flags.contains(.settling) { quietCandidates.append(slot) }
        guard flags.isDisjoint(with: [.paused, .throttled, .settling]) else { return }
        // FIN, an error and an urgent byte are for a receive: a splice might wait for ever.
        guard hasBytes, state.connections[slot].bulk > 0, let target = bypassTarget(of: slot),
            !state.connections[target].flags.contains(.piped)
        else { return readIntoBuffers(slot) }
        switch state.pipes.fill(from: state.connections[slot].descriptor) {
        case .filled(let pipe):
            noteFilled(pipe, from: slot, for: target)
            drainPipe(target)
        case .nothing:
            readIntoBuffers(slot)
        case .broken(let error):
            receiveEnded(slot, error)
        }
    }

    private mutating func readIntoBuffers(_ slot: UInt32) {
        state.connections[slot].flags.remove(.bypassing)
        state.connections[slot].bulk = 0
        receiveIfWanted(slot)
    }

    private mutating func noteFilled(_ pipe: PipeID, from slot: UInt32, for target: UInt32) {
        let byteCount = state.pipes.byteCount(of: pipe)
        noteReceived(slot, byteCount)
        state.counters.bytesBypassed &+= UInt64(byteCount)
        state.connections[target].pipe = pipe
        state.connections[target].flags.insert(.piped)
        driver.readAside(slot, &state)
        if byteCount >= state.limits.largeBytes {
            state.connections[slot].bulk = bypassStreak
        } else {
            state.connections[slot].bulk -= 1
        }
    }

    @inline(never)
    mutating func writable(_ slot: UInt32) {
        if state.connections[slot].flags.contains(.aborting) { return closeIfIdle(slot) }
        drainPipe(slot, isSaidToHaveRoom: true)
    }

    /// Sends what a connection's pipe holds, once what was queued before it has left.
    mutating func drainPipe(_ slot: UInt32, isSaidToHaveRoom: Bool = false) {
        guard state.connections[slot].flags.isDisjoint(with: [.sending, .aborting]),
            state.connections[slot].outbox.isEmpty
        else { return }
        let pipe = state.connections[slot].pipe
        let descriptor = state.connections[slot].descriptor
        let result = state.pipes.drain(pipe, into: descriptor, mayWait: D.socketsWait)
        if result > 0 { noteSent(slot, result) }
        if state.pipes.byteCount(of: pipe) == 0 { return pipeDrained(slot) }
        let error = Errno(rawValue: Int32(truncatingIfNeeded: -result))
        guard result > 0 || error == .tryAgain else {
            return abort(slot, reason(for: error, slot))
        }
        // Where memory is short a socket may be called writable and take nothing. To ask again at
        // once would be to ask for ever: it is asked at the next tick.
        if result <= 0, isSaidToHaveRoom { return timers.set(slot, at: state.now) }
        driver.awaitWritable(slot, &state)
    }

    private mutating func pipeDrained(_ slot: UInt32) {
        state.pipes.giveBack(state.connections[slot].pipe)
        state.connections[slot].flags.remove(.piped)
        resumeBypass(into: slot)
        let waits: Connection.Flags = [.producing, .finishing, .resetting]
        if !state.connections[slot].flags.isDisjoint(with: waits) { continueDraining(slot) }
        if noticesQuiet { quietCandidates.append(slot) }
    }

    /// Whoever filled the pipe of a connection may be read again.
    private mutating func resumeBypass(into slot: UInt32) {
        guard let feeder = current(state.connections[slot].feeder) else { return }
        receiveIfWanted(feeder)
    }

    /// Drops what the pipe of a connection holds that is being closed.
    mutating func discardPipe(_ slot: UInt32) {
        state.connections[slot].flags.remove(.piped)
        countDropped(state.pipes.discard(state.connections[slot].pipe), on: slot)
        resumeBypass(into: slot)
    }
}
