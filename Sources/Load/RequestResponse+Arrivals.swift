// When requests begin, and what becomes of a session between two of them. In a closed loop a
// response lets the next request begin. In an open loop requests are due at moments of their own;
// one that is due takes the first free session, and waits where there is none. Its latency counts
// from when it was due, so what it waited for is part of it.

import Engine
import Measure
import Net
import Synchronization

extension RequestResponse {
    /// How often overdue responses are looked for.
    static var timeoutCheckInterval: UInt64 { 100 * .nanosecondsPerMillisecond }
    /// How long a session of `crr` waits after a connect that failed.
    private static var retryDelay: UInt64 { 10 * .nanosecondsPerMillisecond }

    // ---- sessions that are ready ----

    /// A session stands, or in `crr` has ended its last connection: it can take requests.
    mutating func ready(_ session: Int, _ now: UInt64, _ effects: inout Effects) {
        guard load.phase != .ending, messagesLeft > 0 else { return }
        if isOpenLoop { return offer(session, now, &effects) }
        guard load.phase != .connecting || !connectsForEach else { return }
        guard load.sessions[session].flags.contains(.active) else { return }
        let depth = connectsForEach ? 1 : load.plan.depth
        for _ in 0..<depth where messagesLeft > 0 { grant(session, due: now, now, &effects) }
    }

    /// A response has come, and its session could take another request.
    @inline(__always)
    mutating func complete(_ session: Int, _ now: UInt64, _ effects: inout Effects) {
        if load.phase == .ending || messagesLeft == 0 {
            if load.sessions[session].underWay == 0 { end(session, &effects) }
        } else if isOpenLoop {
            offer(session, now, &effects)
        } else if thinkNanoseconds == 0 {
            grant(session, due: now, now, &effects)
        } else {
            think(session, now, &effects)
        }
    }

    /// Lets one more request begin.
    @inline(__always)
    private mutating func grant(
        _ session: Int,
        due: UInt64,
        _ now: UInt64,
        _ effects: inout Effects
    ) {
        if messagesLeft != .max { messagesLeft -= 1 }
        if connectsForEach {
            load.sessions[session].due = due
            return load.connect(session, now, &effects)
        }
        guard let connection = load.sessions[session].connection else { return }
        // A session with a request that has yet to begin is being asked for bytes already.
        let isAsked = load.sessions[session].granted > 0 || load.sessions[session].rest > 0
        load.sessions.grant(session, due: due)
        if !isAsked { effects.produce(on: connection) }
    }

    // ---- open loop ----

    /// Puts a session among those that can take a request, and gives it one that is due.
    private mutating func offer(_ session: Int, _ now: UInt64, _ effects: inout Effects) {
        enqueue(session, now)
        serveSchedule(now, &effects)
    }

    private mutating func enqueue(_ session: Int, _ now: UInt64) {
        guard !load.sessions[session].flags.contains(.queued), hasRoom(session) else { return }
        load.sessions[session].flags.insert(.queued)
        if free.isEmpty { freeSince = now }
        free.append(session)
    }

    private func hasRoom(_ session: Int) -> Bool {
        let state = load.sessions[session]
        if connectsForEach { return state.connection == nil && !state.flags.contains(.connecting) }
        return state.connection != nil && !state.flags.contains(.ending)
            && load.sessions.room(session) > 0
    }

    /// Begins every request that is due, as long as there are free sessions.
    mutating func serveSchedule(_ now: UInt64, _ effects: inout Effects) {
        var batch: UInt64 = 0
        while let due = schedule?.next, due <= now, messagesLeft > 0, let session = free.popFirst()
        {
            load.sessions[session].flags.remove(.queued)
            guard hasRoom(session) else { continue }
            schedule?.advance()
            // It waited for nothing but this program since it was due and a session was free.
            load.interval.slip.record(now - min(now, max(due, freeSince)))
            if freeSince <= due { batch += 1 }
            grant(session, due: due, now, &effects)
            enqueue(session, now)
        }
        if batch > 0 { load.interval.batches.count(batch) }
        if !free.isEmpty, let due = schedule?.next { wake(at: due, &effects) }
    }

    private mutating func startSchedule() {
        guard case .open(let perSecond, let spacing) = load.plan.arrivals else { return }
        let share = Double(load.sessions.count) / Double(load.plan.connections)
        schedule = Schedule(
            start: load.phaseStart,
            perSecond: perSecond * share,
            spacing: spacing,
            phase: Double(load.number) / Double(load.plan.workerCount),
            seed: load.plan.seed &+ UInt64(load.number)
        )
    }

    // ---- thinking, and trying again ----

    private mutating func think(_ session: Int, _ now: UInt64, _ effects: inout Effects) {
        let moment = now + thinkNanoseconds
        thinking.append(Waiting(moment: moment, session: session))
        wake(at: moment, &effects)
    }

    /// Connects again later: at once it would ask a server that is not there without pause.
    mutating func retry(_ session: Int, _ effects: inout Effects) {
        giveUp(1)
        guard load.phase != .ending else { return }
        let moment = Clock.monotonicNanoseconds() + RequestResponse.retryDelay
        retrying.append(Waiting(moment: moment, session: session))
        wake(at: moment, &effects)
    }

    // ---- waking ----

    /// Has `woke` called at a moment, or before.
    mutating func wake(at moment: UInt64, _ effects: inout Effects) {
        guard moment < wakeAt else { return }
        wakeAt = moment
        effects.wake(at: moment)
    }

    mutating func woke(_ effects: inout Effects) {
        let now = Clock.monotonicNanoseconds()
        wakeAt = .max
        if load.attend(effects) { enterPhase(now, &effects) }
        if !connectsForEach { connectFirst(&effects) }
        while let next = thinking.first, next.moment <= now {
            _ = thinking.popFirst()
            guard load.phase != .ending, messagesLeft > 0 else { continue }
            grant(next.session, due: now, now, &effects)
        }
        while let next = retrying.first, next.moment <= now {
            _ = retrying.popFirst()
            ready(next.session, now, &effects)
        }
        while let next = resting.first, next.moment <= now {
            _ = resting.popFirst()
            load.sessions[next.session].flags.remove(.resting)
            if let connection = load.sessions[next.session].connection {
                effects.resume(connection)
            }
        }
        if now >= nextTimeoutCheck { cutOverdue(now, &effects) }
        if load.phase != .ending { serveSchedule(now, &effects) }
        if let next = thinking.first { wake(at: next.moment, &effects) }
        if let next = retrying.first { wake(at: next.moment, &effects) }
        if let next = resting.first { wake(at: next.moment, &effects) }
        wake(at: nextTimeoutCheck, &effects)
    }

    private mutating func enterPhase(_ now: UInt64, _ effects: inout Effects) {
        switch load.phase {
        case .connecting: break
        case .warmingUp:
            startSchedule()
            guard connectsForEach else { break }
            for session in 0..<load.sessions.count { ready(session, now, &effects) }
        case .measuring:
            guard let count = load.plan.messages(ofWorker: load.number) else { break }
            (messagesLeft, messagesAwaited) = (count, count)
            if count == 0 { giveUp(0) }
        case .ending: endAll(&effects)
        }
    }

    /// Cuts every connection whose server has not answered for too long.
    private mutating func cutOverdue(_ now: UInt64, _ effects: inout Effects) {
        nextTimeoutCheck = now + RequestResponse.timeoutCheckInterval
        for session in 0..<load.sessions.count where load.sessions[session].underWay > 0 {
            let oldest = load.sessions.oldest(session)
            let since = max(oldest.sentAt, load.sessions[session].heardAt)
            guard since + load.plan.timeoutNanoseconds < now,
                !load.sessions[session].flags.contains(.resting)
            else { continue }
            giveUp(load.sessions.requestCount(session, dueSince: load.phaseStart))
            load.timeOut(session, &effects)
        }
    }

    // ---- the end ----

    /// Awaits so many messages less: they have been exchanged, or never will be.
    @inline(__always)
    mutating func giveUp(_ count: Int) {
        guard messagesAwaited != .max else { return }
        messagesAwaited -= count
        if messagesAwaited <= 0 {
            messagesAwaited = .max
            load.control.finished.add(1, ordering: .relaxed)
        }
    }

    private mutating func endAll(_ effects: inout Effects) {
        // Whoever became due just now may still begin. The others had no session.
        serveSchedule(load.phaseStart, &effects)
        load.interval.droppedSlots += schedule?.count(until: load.phaseStart) ?? 0
        schedule = nil
        for session in 0..<load.sessions.count { end(session, &effects) }
    }

    /// Ends a connection when its last request has been handed over, or its last response has come.
    mutating func end(_ session: Int, _ effects: inout Effects) {
        guard load.sessions[session].rest == 0, load.sessions[session].granted == 0,
            load.plan.halfCloses || load.sessions[session].underWay == 0
                || load.sessions[session].flags.contains(.faulty)
        else { return }
        load.end(session, &effects)
    }

    /// Ends a connection of `crr` whose response has come.
    mutating func endTransaction(_ session: Int, _ effects: inout Effects) {
        guard let connection = load.sessions[session].connection else { return }
        if load.plan.keepsTimeWait { return load.end(session, &effects) }
        load.sessions[session].flags.insert(.ending)
        effects.abort(connection)
    }
}
