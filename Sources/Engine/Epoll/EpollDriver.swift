// EpollDriver: the engine's verbs on epoll, as well as we can do it, since a comparison with a weak
// epoll would be worth nothing.
//
// One EPOLL_CTL_ADD a connection, edge-triggered for both directions, and none after it. What the
// kernel reported is kept in flags of the connection; a queue holds the connections on which a call
// is worth making. A receive is followed at once by the send of its bytes: the buffer just freed is
// the next one taken, so one hot buffer serves all connections while nobody lags behind.

public import Net
import URing

/// What a token's operation says an event is about.
enum EventSource: UInt8 {
    case connection = 0
    case listener
    case doorbell
}

/// A driver over epoll(7).
public struct EpollDriver<Calls: SystemCalls & ~Copyable>: Driver, ~Copyable {
    var calls: Calls
    private let pieces: UnsafeMutablePointer<Piece>
    let listeners: [Descriptor]
    var accepting: [Bool]
    var acceptable: [Bool]
    var acceptOne: [Bool]
    private var targets: TargetTable
    let doorbell: Doorbell
    var doorbellRang = false
    var ready: SlotQueue
    // Connections that have had their share of this turn and want more.
    var later: SlotQueue
    // The connection at work, and how often it has received in a row.
    var current: UInt32?
    var receives = 0
    var isAcceptDue = false
    // Why the kernel last refused to watch a connection.
    var watchFailure = Errno.outOfMemory

    init(
        calls: consuming Calls,
        plan: DriverPlan,
        _ state: inout WorkerState
    ) throws(SystemError) {
        var calls = calls
        let bell = Token(operation: EventSource.doorbell.rawValue)
        try calls.watch(plan.doorbell.descriptor, .readable, bell)
        for (index, listener) in plan.listeners.enumerated() {
            let token = Token(operation: EventSource.listener.rawValue, slot: UInt32(index))
            try calls.watch(listener, [.readable, .edge], token)
        }
        let ready = try SlotQueue(capacity: state.limits.connectionsMax)
        let later = try SlotQueue(capacity: state.limits.connectionsMax)
        self.calls = calls
        self.ready = ready
        self.later = later
        pieces = .allocate(capacity: Submission.pieceLimit)
        listeners = plan.listeners
        accepting = listeners.map { _ in false }
        acceptable = accepting
        acceptOne = accepting
        targets = TargetTable(plan.targets)
        doorbell = plan.doorbell
    }

    deinit { pieces.deallocate() }

    public var hasRoom: Bool {
        @inline(__always) get { true }
    }

    public var hasEvents: Bool { !ready.isEmpty || isAcceptDue || doorbellRang }

    @inline(__always)
    public func now() -> UInt64 { calls.now() }

    // ---- accepting and connecting ----

    @inline(never)
    public mutating func accept(listener index: Int, one: Bool, _ state: inout WorkerState) {
        acceptOne[index] = one
        guard !accepting[index] else { return }
        accepting[index] = true
        // The listener may have become acceptable while nobody was accepting: no edge will tell.
        acceptable[index] = true
        isAcceptDue = true
    }

    public mutating func stopAccepting(listener index: Int, _ state: inout WorkerState) -> Bool {
        accepting[index] = false
        return true
    }

    public mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno> {
        Descriptor.accepted(untilBelieved { calls.accept(listener) })
    }

    public mutating func adopt(_ slot: UInt32, _ state: inout WorkerState) {
        watchConnection(slot, &state)
    }

    public mutating func release(_ slot: UInt32, _ state: inout WorkerState) {
        // Others have the same file open: closing ours would not end the events.
        calls.unwatch(state.connections[slot].descriptor)
    }

    public mutating func retarget(_ target: Int, to address: SocketAddress) {
        targets.setAddress(target, address)
    }

    public mutating func openSocket(target: Int) -> Result<Descriptor, SystemError> {
        let (family, source) = targets.plan(target)
        return calls.openSocket(family, from: source)
    }

    public mutating func connect(_ slot: UInt32, target: Int, _ state: inout WorkerState) {
        let address = targets[target]
        let descriptor = state.connections[slot].descriptor
        state.connections[slot].flags.insert(.connecting)
        // An outcome that is known at once is reported by the socket's readiness like any other.
        _ = calls.connect(descriptor, to: address.bytes, byteCount: address.byteCount)
        watchConnection(slot, &state)
    }

    private mutating func watchConnection(_ slot: UInt32, _ state: inout WorkerState) {
        let token = Token(
            operation: EventSource.connection.rawValue,
            slot: slot,
            generation: state.connections[slot].generation
        )
        let descriptor = state.connections[slot].descriptor
        let interest: Readiness = [.readable, .writable, .urgent, .peerFinished, .edge]
        if let error = calls.watch(descriptor, interest, token: token.rawValue) {
            // Out of kernel memory or watches: the connection cannot be served. It ends as broken,
            // by RST: FIN would tell its client that this was the whole answer.
            watchFailure = error
            state.connections[slot].flags.insert(.unwatched)
            ready.append(slot)
        }
    }

    // ---- receiving and sending ----

    @inline(__always)
    public mutating func receive(_ slot: UInt32, _ state: inout WorkerState) {
        let flags = state.connections[slot].flags
        state.connections[slot].flags.insert(.receiving)
        if flags.contains(.readable) { ready.append(slot) }
    }

    public mutating func stopReceiving(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].flags.remove(.receiving)
    }

    public static var buffersPerReceiver: Int { 1 }

    public static var sendsAtOnce: Bool { true }

    public static var socketsWait: Bool { false }

    @inline(__always)
    public func canReceive(_ state: borrowing WorkerState) -> Bool { true }

    public func supplyReceivers(_ state: inout WorkerState) -> Int { state.buffers.freeCount }

    public func supplyMax(_ state: borrowing WorkerState) -> Int { state.limits.bufferCount }

    @inline(__always)
    public mutating func send(_ slot: UInt32, _ state: inout WorkerState) -> SendOutcome {
        guard state.connections[slot].flags.contains(.writable) else {
            state.connections[slot].flags.insert(.sending)
            return .underWay
        }
        let count = state.buffers.startSending(&state.connections[slot].outbox, into: pieces)
        var requested = 0
        for index in 0..<count { requested += pieces[index].byteCount }
        let descriptor = state.connections[slot].descriptor
        let result = untilBelieved {
            calls.send(descriptor, UnsafeBufferPointer(start: pieces, count: count))
        }
        if result >= 0 {
            // A short send says that the socket is full; the kernel reports when it is not.
            if result < requested { state.connections[slot].flags.remove(.writable) }
            return .sent(result)
        }
        state.buffers.finishSending(&state.connections[slot].outbox, byteCount: 0)
        let error = Errno(rawValue: Int32(truncatingIfNeeded: -result))
        guard error == .tryAgain else { return .failed(error) }
        state.connections[slot].flags.remove(.writable)
        state.connections[slot].flags.insert(.sending)
        return .underWay
    }

    public mutating func awaitReadable(_ slot: UInt32, _ state: inout WorkerState) {
        let flags = state.connections[slot].flags
        state.connections[slot].flags.insert(.receiving)
        // In the next turn, for others wait too.
        if flags.contains(.readable) { later.append(slot) }
    }

    public mutating func readAside(_ slot: UInt32, _ state: inout WorkerState) {
        // What arrives after the socket was seen empty is an edge; but not FIN or an error that was
        // reported before.
        let flags = state.connections[slot].flags
        guard !flags.contains(.readToEnd),
            calls.unreadByteCount(state.connections[slot].descriptor) == 0
        else { return }
        state.connections[slot].flags.remove(.readable)
    }

    public mutating func awaitWritable(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].flags.remove(.writable)
        state.connections[slot].flags.insert(.sending)
    }

    public mutating func finish(_ slot: UInt32, _ state: inout WorkerState) -> Bool {
        // Of a connection that is broken the receive tells.
        let error = calls.shutdownWriting(state.connections[slot].descriptor)
        return error == nil || error == .notConnected
    }

    public mutating func cut(_ slot: UInt32, _ state: inout WorkerState) {
        // Nothing is ever in flight here: waiting simply ends. A connect ends as one that has
        // failed.
        state.connections[slot].flags.subtract([.sending, .receiving])
        if state.connections[slot].flags.contains(.connecting) {
            state.connections[slot].flags.insert(.writable)
            ready.append(slot)
        }
    }

    public mutating func hasUnreadBytes(_ slot: UInt32, _ state: inout WorkerState) -> Bool {
        let descriptor = state.connections[slot].descriptor
        return Net.hasUnreadBytes(
            count: { calls.unreadByteCount(descriptor) },
            isAtUrgentByte: { calls.isAtUrgentByte(descriptor) },
            peek: { calls.peek(descriptor) }
        )
    }

    public mutating func hasUnacknowledgedBytes(
        _ slot: UInt32,
        _ state: borrowing WorkerState
    ) -> Bool {
        calls.unacknowledgedByteCount(state.connections[slot].descriptor) > 0
    }

    public mutating func transmission(_ descriptor: Descriptor) -> Transmission? {
        calls.transmission(descriptor)
    }

    public mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        calls.addresses(descriptor)
    }

    public mutating func close(_ descriptor: Descriptor, reset: Bool) {
        if reset { calls.resetOnClose(descriptor) }
        calls.close(descriptor)
    }

    // ---- the turn ----

    @inline(__always)
    public mutating func wait(until deadline: UInt64?, isIdle: Bool, _ state: inout WorkerState) {
        while let slot = later.popFirst() { ready.append(slot) }
        var time: UInt64? = 0
        if isIdle, ready.isEmpty, current == nil, !isAcceptDue, !doorbellRang {
            let now = deadline == nil ? 0 : now()
            time = deadline.map { $0 > now ? $0 - now : 0 }
        }
        let count = calls.wait(forAtMost: time)
        guard count >= 0 else {
            let error = Errno(rawValue: Int32(truncatingIfNeeded: -count))
            guard error == .interrupted else { defect("epoll_wait", error) }
            state.counters.interruptedWaits += 1
            return
        }
        for index in 0..<count { note(calls.event(index), &state) }
    }
}

extension EpollDriver where Calls == KernelCalls {
    /// Opens a set of watched descriptors.
    init(_ plan: DriverPlan, _ state: inout WorkerState) throws(SystemError) {
        let calls = try KernelCalls(eventsMax: 512)
        try self.init(calls: calls, plan: plan, &state)
    }
}

extension SystemCalls where Self: ~Copyable {
    /// Watches a descriptor without which there is no loop.
    fileprivate mutating func watch(
        _ descriptor: Descriptor,
        _ interest: Readiness,
        _ token: Token
    ) throws(SystemError) {
        if let error = watch(descriptor, interest, token: token.rawValue) {
            throw SystemError("epoll_ctl", error)
        }
    }
}
