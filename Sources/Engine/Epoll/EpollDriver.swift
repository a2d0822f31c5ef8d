// EpollDriver: the engine's verbs on epoll, as well as we can do it, since a comparison with a weak
// epoll would be worth nothing.
//
// One EPOLL_CTL_ADD a connection, edge-triggered for both directions, and none after it. What the
// kernel reported is kept in flags of the connection; a queue holds the connections on which a call
// is worth making. A receive is followed at once by the send of its bytes: the buffer just freed is
// the next one taken, so one hot buffer serves all connections while nobody lags behind.

public import Net
import URing

/// A driver over epoll(7).
public struct EpollDriver: Driver, ~Copyable {
    /// What a token's operation says an event is about.
    private enum Source: UInt8 {
        case connection = 0
        case listener
        case doorbell
    }

    /// Receives from one connection before the others have theirs.
    private static let receivesInARow = 16
    private static let eventsPerWait = 512

    private let poll: EventPoll
    private let pieces: UnsafeMutablePointer<Piece>
    private let listeners: [Descriptor]
    private var accepting: [Bool]
    private var acceptable: [Bool]
    private var acceptOne: [Bool]
    private let targets: TargetTable
    private let doorbell: Doorbell
    private var doorbellRang = false
    private var ready: SlotQueue
    // Connections that have had their share of this turn and want more.
    private var later: SlotQueue
    // The connection at work, and how often it has received in a row.
    private var current: UInt32?
    private var receives = 0
    private var isAcceptDue = false
    // Why the kernel last refused to watch a connection.
    private var watchFailure = Errno.outOfMemory

    init(_ plan: DriverPlan, _ state: inout WorkerState) throws(SystemError) {
        let poll = try EventPoll(capacity: EpollDriver.eventsPerWait)
        let bell = Token(operation: Source.doorbell.rawValue)
        try poll.add(plan.doorbell.descriptor, .readable, token: bell.rawValue)
        for (index, listener) in plan.listeners.enumerated() {
            let token = Token(operation: Source.listener.rawValue, slot: UInt32(index))
            try poll.add(listener, [.readable, .edge], token: token.rawValue)
        }
        let ready = try SlotQueue(capacity: state.limits.connectionsMax)
        let later = try SlotQueue(capacity: state.limits.connectionsMax)
        self.poll = poll
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

    @inline(__always)
    public func now() -> UInt64 { Clock.monotonicNanoseconds() }

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
        listener.accept()
    }

    public mutating func adopt(_ slot: UInt32, _ state: inout WorkerState) {
        watchConnection(slot, &state)
    }

    public mutating func openSocket(target: Int) -> Result<Descriptor, SystemError> {
        let (family, source) = targets.plan(target)
        return Result { () throws(SystemError) in
            try Socket.outgoing(family, from: source)
        }
    }

    public mutating func connect(_ slot: UInt32, target: Int, _ state: inout WorkerState) {
        let address = targets[target]
        let descriptor = state.connections[slot].descriptor
        state.connections[slot].flags.insert(.connecting)
        // An outcome that is known at once is reported by the socket's readiness like any other.
        _ = descriptor.startConnecting(to: address.bytes, byteCount: address.byteCount)
        watchConnection(slot, &state)
    }

    private mutating func watchConnection(_ slot: UInt32, _ state: inout WorkerState) {
        let token = Token(
            operation: Source.connection.rawValue,
            slot: slot,
            generation: state.connections[slot].generation
        )
        let descriptor = state.connections[slot].descriptor
        do throws(SystemError) {
            let interest: Readiness = [.readable, .writable, .urgent, .peerFinished, .edge]
            try poll.add(descriptor, interest, token: token.rawValue)
        } catch {
            // Out of kernel memory or watches: the connection cannot be served. It ends as broken,
            // by RST: FIN would tell its client that this was the whole answer.
            watchFailure = error.code
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
        let result = descriptor.send(UnsafeBufferPointer(start: pieces, count: count))
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

    public mutating func finish(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].descriptor.shutdownWriting()
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
        state.connections[slot].descriptor.unreadByteCount > 0
    }

    public func hasUnacknowledgedBytes(_ slot: UInt32, _ state: borrowing WorkerState) -> Bool {
        state.connections[slot].descriptor.unacknowledgedByteCount > 0
    }

    public func transmission(_ descriptor: Descriptor) -> Transmission? { descriptor.transmission }

    public func addresses(_ descriptor: Descriptor) -> ConnectionAddresses { descriptor.addresses }

    public mutating func close(_ descriptor: Descriptor, reset: Bool) {
        if reset { descriptor.resetOnClose() }
        descriptor.close()
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
        let count = poll.wait(forAtMost: time)
        guard count >= 0 else {
            let error = Errno(rawValue: Int32(truncatingIfNeeded: -count))
            guard error == .interrupted else { defect("epoll_wait", error) }
            state.counters.interruptedWaits += 1
            return
        }
        for index in 0..<count { note(poll.event(index), &state) }
    }

    /// Keeps what the kernel reported until a call is made on it.
    @inline(__always)
    private mutating func note(
        _ event: (token: UInt64, readiness: Readiness),
        _ state: inout WorkerState
    ) {
        let token = Token(rawValue: event.token)
        switch Source(rawValue: token.operation) {
        case .connection:
            let slot = token.slot
            guard state.connections.isCurrent(slot: slot, generation: token.generation) else {
                state.counters.staleCompletions += 1
                return
            }
            let readOn: Readiness = [.urgent, .peerFinished, .hangUp, .error]
            if !event.readiness.isDisjoint(with: readOn) {
                state.connections[slot].flags.formUnion([.readable, .readToEnd])
            }
            if event.readiness.contains(.readable) {
                state.connections[slot].flags.insert(.readable)
            }
            if !event.readiness.isDisjoint(with: [.writable, .hangUp, .error]) {
                state.connections[slot].flags.insert(.writable)
            }
            ready.append(slot)
        case .listener:
            acceptable[Int(token.slot)] = true
            isAcceptDue = true
        case .doorbell:
            doorbellRang = true
        case nil:
            preconditionFailure("an event of nothing that was watched")
        }
    }

    @inline(__always)
    public mutating func next(_ state: inout WorkerState) -> Event? {
        if isAcceptDue, let event = acceptNext(&state) { return event }
        while true {
            guard let slot = current ?? ready.popFirst() else { break }
            if current == nil { receives = 0 }
            current = slot
            if let event = work(on: slot, &state) { return event }
            current = nil
        }
        return doorbellRang ? answerDoorbell() : nil
    }

    @inline(never)
    private mutating func answerDoorbell() -> Event {
        doorbellRang = false
        doorbell.silence()
        return .doorbell
    }

    @inline(never)
    private mutating func acceptNext(_ state: inout WorkerState) -> Event? {
        for index in 0..<listeners.count where accepting[index] && acceptable[index] {
            switch listeners[index].accept() {
            case .success(let descriptor):
                if acceptOne[index] { accepting[index] = false }
                return .accepted(listener: index, descriptor)
            case .failure(let error) where error == .tryAgain:
                acceptable[index] = false
            case .failure(let error):
                accepting[index] = false
                return .acceptEnded(listener: index, error)
            }
        }
        isAcceptDue = false
        return nil
    }

    /// Makes the next call that is worth making on a connection; nil when there is none.
    @inline(__always)
    private mutating func work(on slot: UInt32, _ state: inout WorkerState) -> Event? {
        let flags = state.connections[slot].flags
        guard flags.contains(.open) else { return nil }
        if !flags.isDisjoint(with: [.connecting, .unwatched]) { return prelude(slot, &state) }
        if flags.contains([.sending, .writable]) {
            state.connections[slot].flags.remove(.sending)
            switch send(slot, &state) {
            case .sent(let count): return .sent(slot, count)
            case .failed(let error): return .sendFailed(slot, error)
            case .underWay: break
            }
        }
        if flags.contains([.receiving, .readable]) { return receiveOnce(slot, &state) }
        return nil
    }

    /// What precedes the bytes of a connection: that it is watched, and that it is made.
    private func prelude(_ slot: UInt32, _ state: inout WorkerState) -> Event? {
        let flags = state.connections[slot].flags
        if flags.contains(.unwatched) {
            state.connections[slot].flags.subtract([.connecting, .receiving, .sending])
            return flags.contains(.connecting)
                ? .connectFailed(slot, watchFailure) : .receiveEnded(slot, watchFailure)
        }
        guard state.connections[slot].flags.contains(.writable) else { return nil }
        state.connections[slot].flags.remove(.connecting)
        if let error = state.connections[slot].descriptor.takeSocketError() {
            return .connectFailed(slot, error)
        }
        return .connected(slot)
    }

    @inline(__always)
    private mutating func receiveOnce(_ slot: UInt32, _ state: inout WorkerState) -> Event? {
        guard receives < EpollDriver.receivesInARow else {
            later.append(slot)
            return nil
        }
        guard let buffer = state.buffers.take() else {
            state.connections[slot].flags.remove(.receiving)
            return .starved(slot)
        }
        let capacity = state.buffers.bufferBytes
        let start = state.buffers.start(of: buffer)
        let result = state.connections[slot].descriptor.receive(into: start, byteCount: capacity)
        if result > 0 {
            receives += 1
            // A short receive has emptied the socket, and the next byte is an edge. Not so once FIN
            // or an error has been reported: those give no further edge. Nor is it so at an urgent
            // byte, where every receive ends.
            if result < capacity, !state.connections[slot].flags.contains(.readToEnd) {
                state.connections[slot].flags.remove(.readable)
            }
            state.buffers.fill(buffer, byteCount: result)
            return .received(slot, buffer)
        }
        state.buffers.release(buffer)
        if result == -Int(Errno.tryAgain.rawValue) {
            state.connections[slot].flags.remove(.readable)
            return nil
        }
        state.connections[slot].flags.remove(.receiving)
        let error = result == 0 ? nil : Errno(rawValue: Int32(truncatingIfNeeded: -result))
        return .receiveEnded(slot, error)
    }
}
