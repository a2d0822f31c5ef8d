// SteppedWorker: a worker on a ring of the caller's, driven turn by turn on the caller's thread. A
// simulation runs the production driver and worker in it, and looks at their books between turns.

public import Net
public import URing

/// An io_uring worker that does nothing by itself.
@_spi(Simulation)
public struct SteppedWorker<R: Ring & ~Copyable, H: Handler & ~Copyable>: ~Copyable {
    private var worker: Worker<UringDriver<R>, H>

    /// - Parameters:
    ///   - ring: group 0 is opened on it.
    ///   - control: rings the doorbell that the ring is asked to poll.
    public init(
        ring: consuming R,
        handler: consuming H,
        limits: Limits,
        policy: ConnectionPolicy,
        listeners: [Descriptor],
        usesMultishot: Bool,
        registersFiles: Bool,
        control: StepControl
    ) throws(SystemError) {
        let group = BufferGroup(rawValue: 0)
        var ring = ring
        try ring.openGroup(group, entries: limits.bufferCount)
        var state = try WorkerState(limits: limits, producing: H.produces)
        var plan = DriverPlan(doorbell: control.control.doorbell)
        plan.listeners = listeners
        plan.usesMultishot = usesMultishot
        plan.registersFiles = registersFiles
        worker = try Worker(
            driver: UringDriver(ring: ring, group: group, plan: plan, &state),
            state: state,
            handler: handler,
            plan: plan,
            control: control.control,
            policy: policy,
            journal: nil,
            ledger: nil
        )
    }

    /// What precedes the first turn.
    public mutating func start() { worker.start() }

    /// One turn.
    public mutating func turn() { worker.turn() }

    /// Whether the worker has stopped: no turn is to follow.
    public var isDone: Bool { worker.isDone }

    /// Hands over the last closes, and ends the worker.
    public consuming func end() -> Counters { worker.end() }

    // ---- the books ----

    /// What it did so far.
    public var counters: Counters { worker.state.counters }

    /// Connections at present.
    public var connectionCount: Int { worker.state.connections.count }

    /// Slots that have ever been used: connections are to be found below.
    public var usedSlots: UInt32 { UInt32(worker.state.connections.usedSlots) }

    /// Who owns a buffer.
    public func owner(ofBuffer number: Int) -> BufferOwner {
        switch worker.state.buffers[BufferID(rawValue: UInt16(number))].owner {
        case .free: .free
        case .kernel: .kernel
        case .connection: .connection
        case .sending: .sending
        }
    }

    /// The connection in a slot, or nil.
    public func connection(in slot: UInt32) -> SteppedConnection? {
        let connection = worker.state.connections[slot]
        guard connection.flags.contains(.open) else { return nil }
        return SteppedConnection(
            generation: connection.generation,
            descriptor: connection.descriptor,
            isReceiving: connection.flags.contains(.receiving),
            isSending: connection.flags.contains(.sending),
            isThrottled: connection.flags.contains(.throttled),
            isAborting: connection.flags.contains(.aborting),
            pendingBytes: Int(connection.outbox.byteCount),
            sendingCount: Int(connection.outbox.sendingCount)
        )
    }

    /// The buffers that wait in a connection's outbox, in order, each with its bytes left.
    public func outbox(of slot: UInt32, _ body: (_ buffer: Int, _ byteCount: Int) -> Void) {
        var buffer = worker.state.connections[slot].outbox.first
        while buffer != .none {
            let record = worker.state.buffers[buffer]
            body(Int(buffer.rawValue), Int(record.byteCount))
            buffer = record.next
        }
    }
}

/// What may be said to a stepped worker from outside, as another thread would.
@_spi(Simulation)
public struct StepControl: Sendable {
    let control: WorkerControl

    public init() throws(SystemError) { control = try WorkerControl() }

    /// What the worker polls.
    public var doorbell: Descriptor { control.doorbell.descriptor }

    /// Asks the worker to stop, and rings.
    public func requestStop() { control.requestStop() }

    /// Rings for nothing.
    public func ring() { control.doorbell.ring() }
}

/// Who may touch a buffer, see `BufferPool.Owner`.
@_spi(Simulation)
public enum BufferOwner: Equatable, Sendable {
    case free
    case kernel
    case connection
    case sending
}

/// What a worker knows of a connection, between two turns.
@_spi(Simulation)
public struct SteppedConnection: Sendable {
    public let generation: UInt32
    public let descriptor: Descriptor
    public let isReceiving: Bool
    public let isSending: Bool
    public let isThrottled: Bool
    public let isAborting: Bool
    /// Bytes in the outbox.
    public let pendingBytes: Int
    /// Buffers of the send in flight.
    public let sendingCount: Int
}
