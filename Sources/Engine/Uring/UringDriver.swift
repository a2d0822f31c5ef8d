// UringDriver: the engine's verbs as submissions, and completions as the engine's events.
//
// What has to be kept straight here: a completion's token says which connection it was for, and
// which owner of that slot; a buffer is taken only from a completion that carries one; a multishot
// operation may end after any completion, also a good one; and nothing is submitted without room.

public import Net
public import URing

/// What a token's operation means.
enum Operation: UInt8 {
    case accept = 1
    case receive
    case send
    case connect
    case cancel
    case cancelAccept
    case close
    case doorbell
    case readable
    case writable
    /// The ring's own (`Token.socket`, `Token.installation`).
    case socket = 254
    case installation = 255
}

/// A driver over io_uring.
public struct UringDriver<R: Ring & ~Copyable>: Driver, ~Copyable {
    struct Listener {
        var descriptor: Descriptor
        var isAccepting = false
        var isMultishot = false
        /// The accept under way has been asked to end.
        var isEnding = false
    }

    var ring: R
    private let usesMultishot: Bool
    let registersFiles: Bool
    private let group: BufferGroup
    var supply: BufferSupply
    var listeners: [Listener]
    private var targets: TargetTable
    let doorbell: Doorbell
    private let pieces: UnsafeMutablePointer<Piece>

    /// - Parameter group: a group of buffers that is open, with room for all of the pool's.
    init(
        ring: consuming R,
        group: BufferGroup,
        plan: DriverPlan,
        _ state: inout WorkerState
    ) {
        self.ring = ring
        self.group = group
        usesMultishot = plan.usesMultishot
        registersFiles = plan.registersFiles
        listeners = plan.listeners.map { Listener(descriptor: $0) }
        targets = TargetTable(plan.targets)
        doorbell = plan.doorbell
        pieces = .allocate(capacity: Submission.pieceLimit)
        supply = BufferSupply(
            bufferBytes: state.limits.bufferBytes,
            bufferCount: state.limits.bufferCount - state.buffersKept
        )
        offerBuffers(atLeast: 0, &state)
        watchDoorbell()
    }

    deinit { pieces.deallocate() }

    public var hasRoom: Bool {
        @inline(__always) get { ring.submissionRoom >= Limits.submissionsPerStep }
    }

    public var hasEvents: Bool { ring.hasCompletions }

    @inline(__always)
    public func now() -> UInt64 { ring.now() }

    // ---- accepting and connecting ----

    @inline(never)
    public mutating func accept(listener index: Int, one: Bool, _ state: inout WorkerState) {
        guard !listeners[index].isAccepting else {
            if one, listeners[index].isMultishot { _ = stopAccepting(listener: index, &state) }
            return
        }
        let isMultishot = usesMultishot && !one
        let descriptor = listeners[index].descriptor
        listeners[index].isAccepting = true
        listeners[index].isMultishot = isMultishot
        ring.submit(
            isMultishot ? .acceptMultishot(descriptor) : .accept(descriptor),
            token: Token(operation: .accept, slot: UInt32(index))
        )
    }

    public mutating func stopAccepting(listener index: Int, _ state: inout WorkerState) -> Bool {
        guard listeners[index].isAccepting else { return true }
        if !listeners[index].isEnding {
            listeners[index].isEnding = true
            let target = Token(operation: .accept, slot: UInt32(index))
            let token = Token(operation: .cancelAccept, slot: UInt32(index))
            ring.submit(.cancel(target), token: token)
        }
        return false
    }

    public mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno> {
        ring.acceptQueued(listener)
    }

    public mutating func adopt(_ slot: UInt32, _ state: inout WorkerState) {}

    public mutating func release(_ slot: UInt32, _ state: inout WorkerState) {}

    public mutating func retarget(_ target: Int, to address: SocketAddress) {
        targets.setAddress(target, address)
    }

    public mutating func openSocket(target: Int) -> Result<Descriptor, SystemError> {
        let (family, source) = targets.plan(target)
        return ring.openSocket(family, from: source)
    }

    public mutating func connect(_ slot: UInt32, target: Int, _ state: inout WorkerState) {
        state.connections[slot].flags.insert(.connecting)
        let address = targets[target]
        ring.submit(
            .connect(
                state.connections[slot].descriptor,
                address: address.bytes,
                addressBytes: address.byteCount
            ),
            token: token(.connect, slot, state)
        )
    }

    // ---- receiving and sending ----

    @inline(__always)
    public mutating func receive(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].flags.insert(.receiving)
        let descriptor = state.connections[slot].descriptor
        ring.submit(
            usesMultishot
                ? .receiveMultishot(descriptor, into: group) : .receive(descriptor, into: group),
            token: token(.receive, slot, state)
        )
    }

    public mutating func stopReceiving(_ slot: UInt32, _ state: inout WorkerState) {
        guard !state.connections[slot].flags.contains(.receiveEnding) else { return }
        state.connections[slot].flags.insert(.receiveEnding)
        cancel(receiving(slot, state), slot, state)
        if KnownFault.cancelIsTheEnd.isBack { receiveEnded(slot, &state) }
    }

    @inline(__always)
    public mutating func send(_ slot: UInt32, _ state: inout WorkerState) -> SendOutcome {
        state.connections[slot].flags.insert(.sending)
        let descriptor = state.connections[slot].descriptor
        let count = state.buffers.startSending(&state.connections[slot].outbox, into: pieces)
        let token = token(.send, slot, state)
        if count == 1 {
            let piece = pieces[0]
            ring.submit(
                .send(descriptor, bytes: piece.bytes, byteCount: piece.byteCount),
                token: token
            )
        } else {
            ring.submit(
                .sendPieces(descriptor, UnsafeBufferPointer(start: pieces, count: count)),
                token: token
            )
        }
        return .underWay
    }

    public mutating func awaitReadable(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].flags.formUnion([.receiving, .polling])
        let descriptor = state.connections[slot].descriptor
        ring.submit(.pollReadable(descriptor), token: token(.readable, slot, state))
    }

    public mutating func readAside(_ slot: UInt32, _ state: inout WorkerState) {}

    public mutating func awaitWritable(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].flags.insert(.sending)
        let descriptor = state.connections[slot].descriptor
        ring.submit(.pollWritable(descriptor), token: token(.writable, slot, state))
    }

    /// What is armed on a connection that is receiving.
    private func receiving(_ slot: UInt32, _ state: borrowing WorkerState) -> Operation {
        state.connections[slot].flags.contains(.polling) ? .readable : .receive
    }

    public mutating func finish(_ slot: UInt32, _ state: inout WorkerState) -> Bool {
        // Of a connection that is broken the receive tells.
        let error = ring.shutdown(state.connections[slot].descriptor, .writing)
        return error == nil || error == .notConnected
    }

    public mutating func cut(_ slot: UInt32, _ state: inout WorkerState) {
        // Closing would not end what is in flight: each request holds the socket open by itself.
        let flags = state.connections[slot].flags
        if flags.contains(.receiving) { cancel(receiving(slot, state), slot, state) }
        if flags.contains(.sending) {
            let isSend = state.connections[slot].outbox.sendingCount > 0
            cancel(isSend ? .send : .writable, slot, state)
        }
        if flags.contains(.connecting) { cancel(.connect, slot, state) }
    }

    public mutating func hasUnreadBytes(_ slot: UInt32, _ state: inout WorkerState) -> Bool {
        ring.hasUnreadBytes(state.connections[slot].descriptor)
    }

    public mutating func hasUnacknowledgedBytes(
        _ slot: UInt32,
        _ state: borrowing WorkerState
    ) -> Bool {
        ring.unacknowledgedByteCount(state.connections[slot].descriptor) > 0
    }

    public mutating func transmission(_ descriptor: Descriptor) -> Transmission? {
        ring.transmission(descriptor)
    }

    public mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        ring.addresses(descriptor)
    }

    public mutating func close(_ descriptor: Descriptor, reset: Bool) {
        if reset { ring.resetOnClose(descriptor) }
        ring.submit(.close(descriptor), token: Token(operation: .close))
    }

    private mutating func cancel(_ target: Token) {
        let token = Token(operation: .cancel, slot: target.slot, generation: target.generation)
        ring.submit(.cancel(target), token: token)
    }

    private mutating func cancel(
        _ operation: Operation,
        _ slot: UInt32,
        _ state: borrowing WorkerState
    ) {
        cancel(token(operation, slot, state))
    }

    @inline(never)
    mutating func doorbellRang() {
        doorbell.silence()
        watchDoorbell()
    }

    private mutating func watchDoorbell() {
        ring.submit(.pollReadable(doorbell.descriptor), token: Token(operation: .doorbell))
    }

    // ---- the turn ----

    @inline(__always)
    public mutating func wait(until deadline: UInt64?, isIdle: Bool, _ state: inout WorkerState) {
        offerBuffers(atLeast: 0, &state)
        var failure: Errno?
        if isIdle {
            let now = deadline == nil ? 0 : ring.now()
            let time = deadline.map { $0 > now ? $0 - now : 0 }
            failure = ring.enter(waitingFor: 1, forAtMost: time)
        } else {
            failure = ring.enter(waitingFor: 0, forAtMost: nil)
        }
        if let failure { noteFailure(failure, &state) }
        if ring.hasOverflowed { state.counters.completionOverflows += 1 }
    }

    @inline(never)
    private mutating func noteFailure(_ failure: Errno, _ state: inout WorkerState) {
        switch failure {
        case .busy where KnownFault.busyIsFatal.isBack: defect("io_uring_enter", failure)
        case .interrupted, .busy, .tryAgain, .outOfMemory:
            // The kernel keeps what it did not take: it is handed over again next turn.
            state.counters.interruptedWaits += 1
        default:
            defect("io_uring_enter", failure)
        }
    }

    /// Keeps the kernel supplied, with the most recently used buffers first. What was offered
    /// anyone may take, so the reserve is not: of it, those get `atLeast` a few who are let in
    /// after they have found none.
    @inline(__always)
    private mutating func offerBuffers(atLeast least: Int, _ state: inout WorkerState) {
        let count = max(least, min(supply.bufferCount, state.buffers.beyondReserve))
        while state.buffers.kernelCount < count,
            state.buffers.freeCount > state.buffersKept || state.buffers.kernelCount == 0,
            let buffer = state.buffers.takeForKernel()
        {
            ring.provide(
                ProvidedBuffer(
                    id: buffer.rawValue,
                    bytes: state.buffers.start(of: buffer),
                    byteCount: state.buffers.bufferBytes
                ),
                to: group
            )
        }
    }

    public static var buffersPerReceiver: Int { 8 }

    public static var sendsAtOnce: Bool { false }

    public static var socketsWait: Bool { true }

    @inline(__always)
    public func canReceive(_ state: borrowing WorkerState) -> Bool {
        // Free buffers are offered before the receive is handed over.
        state.buffers.kernelCount > 0 || state.buffers.freeCount > 0
    }

    public mutating func supplyReceivers(_ state: inout WorkerState) -> Int {
        // The reserve is given out one by one: whoever gets of it may turn out not to read.
        offerBuffers(atLeast: state.buffers.areScarce ? 1 : UringDriver.buffersPerReceiver, &state)
        return state.buffers.kernelCount
    }

    public func supplyMax(_ state: borrowing WorkerState) -> Int { supply.bufferCount }

    // ---- tokens ----

    @inline(__always)
    func token(
        _ operation: Operation,
        _ slot: UInt32,
        _ state: borrowing WorkerState
    ) -> Token {
        Token(
            operation: operation,
            slot: slot,
            generation: state.connections[slot].generation
        )
    }

    /// Whether a completion is for the present owner of its slot; counts it where it is not.
    @inline(__always)
    func isCurrent(_ token: Token, _ state: inout WorkerState) -> Bool {
        if state.connections.isCurrent(slot: token.slot, generation: token.generation)
            || KnownFault.closedUnderReceive.isBack
        {
            return true
        }
        state.counters.staleCompletions += 1
        return false
    }
}

extension Token {
    @inline(__always)
    init(operation: Operation, slot: UInt32 = 0, generation: UInt32 = 0) {
        self.init(operation: operation.rawValue, slot: slot, generation: generation)
    }
}
