// Timeouts: what silence, a stalled send or a half-closed connection leads to.
//
// A connection's deadline is not moved with every byte. It is looked at when its slot comes out of
// the timer wheel, and put back where it would be due if nothing more moved.

import Net

extension Worker where D: ~Copyable, H: ~Copyable {
    /// Begins to look after a new connection.
    mutating func watchTimeouts(_ slot: UInt32) {
        state.connections[slot].receivedAt = state.nowMilliseconds
        state.connections[slot].progressAt = state.nowMilliseconds
        if let period = checkNanoseconds { timers.set(slot, at: state.now + period) }
    }

    @inline(never)
    mutating func checkDueConnections() {
        while driver.hasRoom, let slot = timers.popDue(now: state.now) {
            if state.connections[slot].flags.contains(.open) { checkTimeouts(slot) }
            applyEffects()
        }
    }

    private mutating func checkTimeouts(_ slot: UInt32) {
        // Another process may have it by now.
        if state.connections[slot].flags.contains(.parked), let period = checkNanoseconds {
            return timers.set(slot, at: state.now + period)
        }
        drainPipeAgain(slot)
        guard state.connections[slot].flags.contains(.open) else { return }
        let flags = state.connections[slot].flags
        if flags.contains(.connecting) {
            guard policy.connectNanoseconds > 0 else { return }
            state.connections[slot].flags.insert(.connectOverdue)
            return abort(slot, .error)
        }
        // What a pipe still holds is a send like any other: its stall is what ends it.
        if flags.contains(.resetting), !flags.contains(.piped),
            state.connections[slot].outbox.isEmpty
        {
            return resetIfDrained(slot)
        }
        // Another timeout may come to apply before this one is over, so nothing waits longer than
        // the shortest of them.
        let period = checkNanoseconds
        guard let due = dueAfter(slot) else {
            if let period { timers.set(slot, at: state.now + period) }
            return
        }
        guard due.nanoseconds == 0 else {
            timers.set(slot, at: state.now + min(due.nanoseconds, period ?? due.nanoseconds))
            return
        }
        if state.connections[slot].flags.contains(.sending), hasProgressed(slot) {
            timers.set(slot, at: state.now + (period ?? policy.writeNanoseconds))
        } else if due.termination == .idle, !state.connections[slot].flags.contains(.finishing) {
            finish(slot, because: .idle)
        } else {
            abort(slot, state.connections[slot].termination ?? due.termination)
        }
    }

    /// Goes on with a pipe whose socket had no room though it was said to.
    private mutating func drainPipeAgain(_ slot: UInt32) {
        let flags = state.connections[slot].flags
        guard flags.contains(.piped), !flags.contains(.sending) else { return }
        drainPipe(slot)
    }

    /// Which timeout applies to a connection as it is, and how long until then: 0 when it is over.
    private func dueAfter(_ slot: UInt32) -> (termination: Termination, nanoseconds: UInt64)? {
        let flags = state.connections[slot].flags
        let sinceReceived = elapsed(since: state.connections[slot].receivedAt)
        let sinceProgress = elapsed(since: state.connections[slot].progressAt)
        let sinceAnything = min(sinceReceived, sinceProgress)
        func rest(_ timeout: UInt64, _ passed: UInt64) -> UInt64? {
            timeout == 0 ? nil : timeout - min(timeout, passed)
        }
        if flags.contains(.finished) {
            // Whoever goes on sending after a FIN in the ordinary course of things may do so.
            guard state.connections[slot].termination == .idle else {
                return rest(policy.halfCloseNanoseconds, sinceAnything).map { (.halfCloseIdle, $0) }
            }
            return rest(policy.graceNanoseconds, sinceProgress).map { (.halfCloseIdle, $0) }
        }
        if flags.contains(.sending) {
            let stall = rest(policy.writeNanoseconds, sinceProgress)
            let half =
                flags.contains(.peerFinished)
                ? rest(policy.halfCloseNanoseconds, sinceProgress) : nil
            switch (stall, half) {
            case (let stall?, let half?) where half < stall: return (.halfCloseIdle, half)
            case (let stall?, _): return (.writeStall, stall)
            case (nil, let half?): return (.halfCloseIdle, half)
            case (nil, nil): return nil
            }
        }
        return rest(policy.idleNanoseconds, sinceAnything).map { (.idle, $0) }
    }

    /// The time since a moment in milliseconds, in nanoseconds.
    func elapsed(since moment: UInt32) -> UInt64 {
        UInt64(state.nowMilliseconds &- moment) * .nanosecondsPerMillisecond
    }

    /// A send in flight waits until all of it is taken, which with a slow reader takes long. What
    /// counts is whether the peer has acknowledged anything since the last look.
    private mutating func hasProgressed(_ slot: UInt32) -> Bool {
        let transmission = driver.transmission(state.connections[slot].descriptor)
        let acknowledged = UInt32(truncatingIfNeeded: transmission?.acknowledgedBytes ?? 0)
        guard acknowledged != state.connections[slot].acknowledged else { return false }
        state.connections[slot].acknowledged = acknowledged
        state.connections[slot].progressAt = state.nowMilliseconds
        return true
    }
}
