// LoadWorker: what the handlers of every workload have in common. It paces the connects, follows
// the phases of the run, hands over what was measured, and settles what an ended connection owes.

import Engine
import Measure
import Net
import Synchronization

/// One worker's part of a run, whatever its connections do.
struct LoadWorker: ~Copyable {
    let plan: LoadPlan
    let number: Int
    let control: LoadControl
    private let endpointCount: Int
    var sessions: SessionTable
    var verifier: Verifier
    var interval = Interval()
    var random: SplitMix64
    private(set) var phase = Phase.connecting
    /// When this worker learned of the phase: its part of the window begins and ends so.
    private(set) var phaseStart: UInt64 = 0
    private var collections = 0
    private var lookedBefore: UInt64 = 0
    private var nextToConnect = 0
    private var connectsUnderWay = 0
    private var rampStart: UInt64 = 0

    /// Connects under way at once: fewer than any listener's queue holds.
    private static var connectsAtOnce: Int { 256 }

    init(_ plan: LoadPlan, number: Int, control: LoadControl) {
        self.plan = plan
        self.number = number
        self.control = control
        endpointCount = plan.endpoints.count
        sessions = SessionTable(numbers: plan.connections(ofWorker: number), depth: plan.depth)
        verifier = Verifier(key: plan.seed, connections: plan.connections)
        random = SplitMix64(seed: plan.seed &+ UInt64(number) &* 0x9e37_79b9_7f4a_7c15)
        interval.start = Clock.monotonicNanoseconds()
    }

    // ---- the phases of the run ----

    /// Hands over what was measured where that is asked for; phases change at these moments alone.
    ///
    /// - Returns: whether a new phase has begun.
    mutating func attend(_ effects: borrowing Effects) -> Bool {
        let asked = control.collections.load(ordering: .acquiring)
        guard asked != collections else { return false }
        collections = asked
        // Once this is handed over the next phase may begin: none must be missed.
        let current = control.phase
        interval.lookedNanoseconds = effects.lookedNanoseconds - lookedBefore
        lookedBefore = effects.lookedNanoseconds
        deliver()
        guard current != phase else { return false }
        phase = current
        phaseStart = interval.start
        return true
    }

    /// Hands over what was measured since the last time.
    mutating func deliver() {
        let now = Clock.monotonicNanoseconds()
        interval.end = now
        control.deliver(&interval, from: number)
        interval.start = now
    }

    // ---- connecting ----

    /// Begins the first connects, as many as the ramp allows by now.
    ///
    /// - Returns: when the next may begin, or nil.
    mutating func connectFirst(_ effects: inout Effects) -> UInt64? {
        let now = Clock.monotonicNanoseconds()
        if rampStart == 0 { rampStart = now }
        while nextToConnect < sessions.count, phase != .ending {
            let moment = rampStart + rampDelay(nextToConnect)
            guard moment <= now else { return moment }
            guard connectsUnderWay < LoadWorker.connectsAtOnce else { return nil }
            connect(nextToConnect, now, &effects)
            nextToConnect += 1
        }
        return nil
    }

    private func rampDelay(_ session: Int) -> UInt64 {
        guard plan.rampNanoseconds > 0 else { return 0 }
        let share = Double(session) / Double(sessions.count)
        return UInt64(share * Double(plan.rampNanoseconds))
    }

    /// Begins to connect a session.
    mutating func connect(_ session: Int, _ now: UInt64, _ effects: inout Effects) {
        sessions[session].flags = sessions[session].flags.intersection([.queued, .active])
        sessions[session].flags.insert([.connecting, .awaitsFirstByte])
        sessions[session].connectStarted = now
        connectsUnderWay += 1
        control.connections.add(1, ordering: .relaxed)
        let number = sessions.numbers.lowerBound + session
        effects.connect(to: number % endpointCount, tag: UInt32(session))
    }

    /// A session's connection stands.
    mutating func opened(_ connection: ConnectionID, _ session: Int, _ now: UInt64) {
        interval.connectLatency.record(now - sessions[session].connectStarted)
        interval.connectionsMade += 1
        sessions[of: connection] = session
        sessions[session].connection = connection
        sessions[session].openedAt = now
        sessions[session].heardAt = now
        endConnect(session)
    }

    /// A session's connection could not be made. Whatever waits for it is told by the caller.
    mutating func connectFailed(_ session: Int, _ error: Errno) {
        let waited = Clock.monotonicNanoseconds() - sessions[session].connectStarted
        switch error {
        case .connectionRefused: interval.errors.refused += 1
        case .timedOut: interval.errors.connectTimedOut += 1
        case .canceled:
            // At the end of a run: only those had their time.
            if waited >= plan.timeoutNanoseconds { interval.errors.connectTimedOut += 1 }
        default: interval.errors.connectFailed += 1
        }
        if phase == .connecting { control.failed.add(1, ordering: .relaxed) }
        endConnect(session)
        control.connections.subtract(1, ordering: .relaxed)
    }

    private mutating func endConnect(_ session: Int) {
        sessions[session].flags.remove(.connecting)
        connectsUnderWay -= 1
        if phase == .connecting { control.settled.add(1, ordering: .relaxed) }
    }

    // ---- receiving ----

    /// Counts received bytes and checks them where that is wanted.
    ///
    /// - Returns: what is to become of them where they are not simply right, or nil.
    @inline(__always)
    mutating func take(_ bytes: RawSpan, _ session: Int) -> Verdict? {
        interval.bytesReceived &+= UInt64(bytes.byteCount)
        guard plan.verifies else {
            sessions[session].received &+= UInt64(bytes.byteCount)
            return nil
        }
        switch verifier.check(bytes, session, &sessions, &interval.integrity) {
        case .right: return nil
        case .suspect: return .consume
        case .judged: return .abort
        }
    }

    // ---- ending ----

    /// Ends a session's connection in the way that the plan wants.
    mutating func end(_ session: Int, _ effects: inout Effects) {
        guard let connection = sessions[session].connection,
            !sessions[session].flags.contains(.ending)
        else { return }
        sessions[session].flags.insert(.ending)
        if plan.resetShare > 0, Double.random(in: 0..<1, using: &random) < plan.resetShare {
            // What is still on its way is nobody's loss.
            sessions[session].flags.insert(.cutShort)
            effects.abort(connection)
        } else {
            effects.finish(connection)
        }
    }

    /// The server has sent FIN.
    mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        let session = sessions[of: connection]
        guard !sessions[session].flags.contains(.ending) else { return }
        // At the end of a run it is the worker's stop that the server answers.
        if phase != .ending {
            interval.errors.closedEarly += 1
            sessions[session].flags.insert(.cutShort)
        }
        sessions[session].flags.insert(.ending)
        effects.finish(connection)
    }

    /// Cuts a connection whose server does not answer.
    mutating func timeOut(_ session: Int, _ effects: inout Effects) {
        guard let connection = sessions[session].connection else { return }
        interval.errors.timedOut += UInt64(sessions[session].underWay)
        sessions[session].flags.formUnion([.ending, .cutShort])
        sessions.forgetRequests(session)
        effects.abort(connection)
    }

    /// Settles a connection that has ended. What was under way on it is over.
    mutating func closed(_ session: Int, _ end: ConnectionEnd) {
        let isBroken = end.termination.isBreakage
        let flags = sessions[session].flags
        if isBroken, !flags.contains(.cutShort) { interval.errors.reset += 1 }
        if !flags.contains(.faulty) {
            interval.errors.unanswered += UInt64(sessions[session].underWay)
        }
        if plan.verifies {
            let isWhole = !isBroken && !flags.contains(.cutShort)
            verifier.settle(session, isWhole: isWhole, sessions, &interval.integrity)
        }
        sessions.forgetRequests(session)
        sessions[session].connection = nil
        control.connections.subtract(1, ordering: .relaxed)
    }
}

extension Termination {
    /// Whether the connection broke, rather than being ended by one of its sides.
    fileprivate var isBreakage: Bool {
        switch self {
        case .peerReset, .keepalive, .userTimeout, .error: true
        default: false
        }
    }
}
