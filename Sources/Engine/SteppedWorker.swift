// SteppedWorker: a worker on a kernel of the caller's, driven turn by turn on the caller's thread.
// A simulation runs the production driver and worker in it, and looks at their books between
// turns.

public import Net
public import URing

/// What a stepped worker is made for.
@_spi(Simulation)
public struct StepPlan {
    let limits: Limits
    let policy: ConnectionPolicy
    let control: StepControl
    let driver: DriverPlan

    /// - Parameter control: rings the doorbell that the kernel is asked to watch.
    public init(
        limits: Limits,
        policy: ConnectionPolicy,
        listeners: [Descriptor],
        usesMultishot: Bool,
        registersFiles: Bool,
        control: StepControl
    ) {
        self.limits = limits
        self.policy = policy
        self.control = control
        var driver = DriverPlan(doorbell: control.control.doorbell)
        driver.listeners = listeners
        driver.usesMultishot = usesMultishot
        driver.registersFiles = registersFiles
        self.driver = driver
    }
}

/// A worker that does nothing by itself.
@_spi(Simulation)
public struct SteppedWorker<D: Driver & ~Copyable, H: Handler & ~Copyable>: ~Copyable {
    private var worker: Worker<D, H>

    /// A worker on a ring. Group 0 is opened on it.
    public init<R: Ring & ~Copyable>(
        ring: consuming R,
        handler: consuming H,
        _ plan: StepPlan
    ) throws(SystemError) where D == UringDriver<R> {
        let group = BufferGroup(rawValue: 0)
        var ring = ring
        try ring.openGroup(group, entries: plan.limits.bufferCount)
        var state = try WorkerState(limits: plan.limits, handler.production)
        let driver = UringDriver(ring: ring, group: group, plan: plan.driver, &state)
        worker = try SteppedWorker.work(driver, state, handler, plan)
    }

    /// A worker on epoll.
    public init<Calls: SystemCalls & ~Copyable>(
        calls: consuming Calls,
        handler: consuming H,
        _ plan: StepPlan
    ) throws(SystemError) where D == EpollDriver<Calls> {
        var state = try WorkerState(limits: plan.limits, handler.production)
        let driver = try EpollDriver(calls: calls, plan: plan.driver, &state)
        worker = try SteppedWorker.work(driver, state, handler, plan)
    }

    private static func work(
        _ driver: consuming D,
        _ state: consuming WorkerState,
        _ handler: consuming H,
        _ plan: StepPlan
    ) throws(SystemError) -> Worker<D, H> {
        try Worker(
            driver: driver,
            state: state,
            handler: handler,
            plan: plan.driver,
            control: plan.control.control,
            policy: plan.policy,
            journal: nil,
            admission: nil
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
            isLeaving: connection.flags.contains(.leaving),
            isReadable: connection.flags.contains(.readable),
            isWritable: connection.flags.contains(.writable),
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

    /// Asks the worker to stop, at a pace or at once, and rings.
    public func requestStop(pacedBy pace: DrainPace?) { control.requestStop(pacedBy: pace) }

    /// Rings for nothing.
    public func ring() { control.doorbell.ring() }

    // ---- connections for another process ----

    /// Asks the worker to offer its connections.
    public func requestHandOver() { control.ask(.give, answeringAt: nil) }

    /// Asks it to look again at those that it has.
    public func requestLook() { control.ask(.look, answeringAt: nil) }

    /// What it offers.
    public func takeOffer() -> [Descriptor]? { control.desk.takeOffer() }

    /// Whether it has said that there is nothing to offer.
    public func takeNothing() -> Bool { control.desk.takeNothing() }

    /// Says who of the last offer is somebody else's now.
    public func judge(_ taken: [Bool]) { control.ask(.taken(taken), answeringAt: nil) }

    /// Asks it to keep the rest.
    public func requestKeep() { control.ask(.keep, answeringAt: nil) }
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
    public let isLeaving: Bool
    /// What epoll has reported, as far as it still holds.
    public let isReadable: Bool
    public let isWritable: Bool
    /// Bytes in the outbox.
    public let pendingBytes: Int
    /// Buffers of the send in flight.
    public let sendingCount: Int
}
