// Worker: one core's share of the service. It asks its driver for what has happened, asks its
// handler what that means, and does it. Here is the turn; what happens to a connection is in
// Worker+Connections.swift, to its bytes in Worker+Bytes.swift.

import Net

/// The loop of one thread. It is made, runs and ends on that thread, and shares nothing with others
/// but its `control` and, where connections are limited, the `admission`.
public struct Worker<D: Driver & ~Copyable, H: Handler & ~Copyable>: ~Copyable {
    struct Listener {
        var descriptor: Descriptor
        /// How long accepting pauses when it fails for want of descriptors; doubles while it fails.
        var pauseNanoseconds: UInt64 = Worker.firstAcceptPause
        var isOpen = true
        var isPaused = false
    }

    /// A walk over all connections at a stop.
    struct Sweep {
        enum Purpose {
            /// Each is let go when it has nothing left.
            case finish
            /// Those are let go whose turn has come.
            case depart
            /// At the end of the drain, each is cut.
            case cut
        }

        var nextSlot: UInt32 = 0
        let purpose: Purpose
    }

    /// What a worker is about.
    enum Phase {
        /// It takes connections.
        case serving
        /// It takes no more, and keeps those that it has until they end.
        case retiring
        /// The same, but for those that another process takes.
        case handingOver
        /// It lets go of those as well.
        case stopping
    }

    var driver: D
    var state: WorkerState
    var handler: H
    var effects: Effects
    let control: WorkerControl
    let policy: ConnectionPolicy
    /// How often each connection is looked at, at least.
    let checkNanoseconds: UInt64?
    // When to look at each connection again.
    var timers: TimerWheel
    var spinning: Spinning
    let journal: Journal?
    let admission: Admission?
    // The place that each slot's connection has in the ledger. Empty without a ledger.
    var places: [AddressLedger.Place?]
    /// When the rate of accepting allows the connection that is waited for.
    var acceptAllowedAt: UInt64?
    var listeners: [Listener]
    // Listeners to attend to, by their index.
    var listenersDue: SlotQueue
    // Connections that wait for a buffer to receive into, in the order in which they found none.
    var starvedReceivers: SlotQueue
    // Connections that have more to produce: for want of a buffer, or after their share of a turn.
    var waitingProducers: SlotQueue
    var buffersReadyLastTurn = 0
    var phase = Phase.serving
    // Connections that may have become quiet since the stop.
    var quietCandidates: SlotQueue
    var sweep: Sweep?
    // The turns of a stop at a pace, until it is over.
    var departures: Departures?
    // What is going to another process, and whether something of it can be done at once.
    var handingOver: HandingOver?
    var isHandingOverDue = false
    // Connections of another process that have a place and are not served yet.
    var arrivals: [UInt32] = []
    // Whether such may come.
    var expectsConnections: Bool
    var hasSeenAllEvents = true

    static var firstAcceptPause: UInt64 { 10 * .nanosecondsPerMillisecond }
    static var longestAcceptPause: UInt64 { .nanosecondsPerSecond }

    init(
        driver: consuming D,
        state: consuming WorkerState,
        handler: consuming H,
        plan: DriverPlan,
        control: WorkerControl,
        policy: ConnectionPolicy,
        journal: Journal?,
        admission: Admission?
    ) throws(SystemError) {
        let timers = try TimerWheel(capacity: state.limits.connectionsMax, now: driver.now())
        let receivers = try SlotQueue(capacity: state.limits.connectionsMax)
        let producers = try SlotQueue(capacity: state.limits.connectionsMax)
        let due = try SlotQueue(capacity: max(1, plan.listeners.count))
        let candidates = try SlotQueue(capacity: state.limits.connectionsMax)
        starvedReceivers = receivers
        quietCandidates = candidates
        listenersDue = due
        waitingProducers = producers
        effects = Effects(capacity: state.limits.effectsMax)
        listeners = plan.listeners.map { Listener(descriptor: $0) }
        self.control = control
        self.policy = policy
        checkNanoseconds = policy.checkNanoseconds
        self.timers = timers
        spinning = Spinning(plan.busyPolling)
        self.journal = journal
        self.admission = admission
        expectsConnections = control.desk.expectsConnections
        let placeCount = admission?.ledger == nil ? 0 : state.limits.connectionsMax
        places = Array(repeating: nil, count: placeCount)
        self.driver = driver
        self.state = state
        self.handler = handler
    }

    /// Runs until it is stopped and every connection has ended.
    consuming func run() -> Counters {
        start()
        while !isDone { turn() }
        return end()
    }

    /// What precedes the first turn.
    mutating func start() {
        refreshClock()
        attendAllListeners()
        handler.started(&effects)
        retarget()
        applyEffects()
    }

    /// What follows the last turn.
    consuming func end() -> Counters {
        // The last closes are still to be handed over.
        driver.wait(until: nil, isIdle: false, &state)
        handler.stopped()
        control.publishLast(snapshot)
        let counters = state.counters
        journal?.free()
        // The kernel lets go of the buffers before their memory goes.
        _ = consume driver
        _ = consume state
        return counters
    }

    var isStopping: Bool { phase == .stopping }

    var isDone: Bool {
        phase != .serving && state.connections.count == 0 && !listeners.contains { $0.isOpen }
    }

    /// What others may know of the worker, now.
    private var snapshot: WorkerSnapshot {
        WorkerSnapshot(
            counters: state.counters.copy,
            connections: state.connections.count,
            buffersFree: state.buffers.freeCount + state.buffers.kernelCount
        )
    }

    /// One turn: wait, handle what has happened, do what has become due.
    @inline(never)
    mutating func turn() {
        let isIdle =
            hasSeenAllEvents && effects.isEmpty && listenersDue.isEmpty && sweep == nil
            && quietCandidates.isEmpty && !isHandingOverDue && !canFeed
        if isIdle, spinning.isOn {
            waitAwake()
        } else {
            driver.wait(until: nextDeadline, isIdle: isIdle, &state)
        }
        refreshClock()
        handleEvents()
        passDeadlines()
        if !listenersDue.isEmpty { attendListeners() }
        if sweep != nil { continueSweep() }
        if !quietCandidates.isEmpty { lookAtQuietCandidates() }
        if isHandingOverDue { continueHandingOver() }
        if !starvedReceivers.isEmpty { feedStarved() }
        if !waitingProducers.isEmpty { resumeProducers() }
    }

    @inline(__always)
    private mutating func refreshClock() {
        state.turn &+= 1
        state.counters.turns &+= 1
        state.now = driver.now()
        state.nowMilliseconds = UInt32(truncatingIfNeeded: state.now / .nanosecondsPerMillisecond)
        effects.now = state.now
        effects.lookedNanoseconds = state.counters.spinNanoseconds
    }

    var nextDeadline: UInt64? {
        @inline(__always) get {
            guard let timer = timers.earliest else { return state.deadlines.next }
            return state.deadlines.next.map { min($0, timer) } ?? timer
        }
    }

    /// Handles events while there is room for what each may cause; the rest is for the next turn.
    @inline(__always)
    private mutating func handleEvents() {
        applyEffects()
        while driver.hasRoom {
            guard let event = driver.next(&state) else {
                hasSeenAllEvents = true
                return
            }
            state.counters.events &+= 1
            handle(event)
            applyEffects()
        }
        hasSeenAllEvents = false
    }

    @inline(__always)
    private mutating func handle(_ event: Event) {
        switch event {
        case .received(let slot, let buffer): received(slot, buffer)
        case .sent(let slot, let byteCount): sent(slot, byteCount)
        case .receiveStopped(let slot): receiveStopped(slot)
        case .readable(let slot, let hasBytes): readable(slot, hasBytes: hasBytes)
        case .writable(let slot): writable(slot)
        case .starved(let slot): starved(slot)
        case .receiveEnded(let slot, let error): receiveEnded(slot, error)
        case .sendFailed(let slot, let error): sendFailed(slot, error)
        case .accepted(let index, let descriptor): accepted(index, descriptor)
        case .acceptEnded(let index, let error): acceptEnded(index, error)
        case .acceptGoesOn(let index): listenersDue.append(UInt32(index))
        case .connected(let slot): connected(slot)
        case .connectFailed(let slot, let error): connectFailed(slot, error)
        case .doorbell: rang()
        }
    }

    // ---- effects ----

    @inline(__always)
    mutating func applyEffects() {
        if let moment = effects.wakeMoment {
            state.deadlines.set(.handlerWake, at: moment)
            effects.wakeMoment = nil
        }
        while !effects.isEmpty, driver.hasRoom, let effect = effects.popFirst() { apply(effect) }
    }

    /// Gives targets the addresses that the handler has found out.
    private mutating func retarget() {
        for (target, address) in effects.retargets { driver.retarget(target, to: address) }
        effects.retargets.removeAll()
    }

    @inline(never)
    private mutating func apply(_ effect: Effects.Effect) {
        switch effect {
        case .connect(let target, let tag):
            connect(to: target, tag: tag)
        case .produce(let connection):
            guard let slot = current(connection) else { return }
            state.connections[slot].flags.insert(.producing)
            produce(slot)
        case .pause(let connection):
            guard let slot = current(connection) else { return }
            state.connections[slot].flags.insert(.paused)
            if state.connections[slot].flags.contains(.receiving) {
                driver.stopReceiving(slot, &state)
            }
        case .resume(let connection):
            guard let slot = current(connection) else { return }
            state.connections[slot].flags.remove(.paused)
            receiveIfWanted(slot)
        case .finish(let connection):
            guard let slot = current(connection) else { return }
            finish(slot)
        case .abort(let connection):
            guard let slot = current(connection) else { return }
            abort(slot, .aborted)
        case .reset(let connection):
            guard let slot = current(connection) else { return }
            reset(slot)
        case .begin(let connection):
            guard let slot = current(connection) else { return }
            receiveIfWanted(slot)
        case .stop:
            stop()
        }
    }

    /// The slot of a connection, or nil where it has ended.
    func current(_ connection: ConnectionID) -> UInt32? {
        state.connections.isCurrent(slot: connection.slot, generation: connection.generation)
            ? connection.slot : nil
    }

    // ---- what falls due ----

    @inline(__always)
    private mutating func passDeadlines() {
        guard let next = nextDeadline, next <= state.now else { return }
        passDueDeadlines()
        checkDueConnections()
    }

    @inline(never)
    private mutating func passDueDeadlines() {
        while driver.hasRoom, let purpose = state.deadlines.popDue(now: state.now) {
            switch purpose {
            case .acceptRetry: resumeAccepting()
            case .handlerWake:
                handler.woke(&effects)
                retarget()
            case .departure: sweep = sweep ?? Sweep(purpose: .depart)
            case .stop: cut()
            }
            applyEffects()
        }
    }

    @inline(never)
    private mutating func rang() {
        if control.desk.hasRequests { attendDesk() }
        if control.isStopRequested {
            // Nobody ends a connection that another process may have by now.
            if handingOver == nil { stop() }
        } else if control.isRetirementRequested {
            retire()
        }
        if control.isCutRequested, isStopping { cut() }
        if control.isSnapshotWanted { control.publish(snapshot) }
        handler.woke(&effects)
        retarget()
    }
}
