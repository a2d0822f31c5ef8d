// Driver: the seam between the worker, which knows what connections mean, and the kernel interface
// that moves their bytes. Both drivers speak of completed work: epoll's readiness is turned into it
// inside the epoll driver. The choice of a driver is one `switch` at the start; from there
// everything is specialised, and no call in the loop is indirect.

public import Net
public import URing

/// A kernel interface. The worker calls a verb; the driver reports what came of it as events.
///
/// No verb is called while `hasRoom` is false.
public protocol Driver: ~Copyable {
    /// Whether there is room for what one step of the worker can cause.
    var hasRoom: Bool { get }

    /// Monotonic nanoseconds.
    func now() -> UInt64

    /// Accepts on a listener, unless that is under way. With `one` a single connection: whatever
    /// takes more is brought to its end.
    mutating func accept(listener: Int, one: Bool, _ state: inout WorkerState)
    /// Accepts no more. Returns whether that is so already; otherwise `.acceptEnded` will tell.
    mutating func stopAccepting(listener: Int, _ state: inout WorkerState) -> Bool
    /// Accepts a connection that waits in a listener's queue, without waiting; `tryAgain` where
    /// there is none.
    mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno>
    /// Takes charge of an accepted connection.
    mutating func adopt(_ slot: UInt32, _ state: inout WorkerState)

    /// Has nothing to do with a connection any more that others go on with. Nothing is in flight.
    mutating func release(_ slot: UInt32, _ state: inout WorkerState)

    /// Gives a target of the plan another address, for the connects to come.
    mutating func retarget(_ target: Int, to address: SocketAddress)
    /// Makes a socket for a connection to a target of the plan.
    mutating func openSocket(target: Int) -> Result<Descriptor, SystemError>
    /// Makes a connection to a target of the plan; ends with `.connected` or `.connectFailed`.
    mutating func connect(_ slot: UInt32, target: Int, _ state: inout WorkerState)

    /// Receives: `.received` follows for whatever arrives, until `.receiveEnded` or `.starved`.
    mutating func receive(_ slot: UInt32, _ state: inout WorkerState)
    /// Receives no more. What the kernel has delivered still comes; a receive in flight ends with
    /// `.receiveStopped`.
    mutating func stopReceiving(_ slot: UInt32, _ state: inout WorkerState)

    /// How many buffers a receiver takes that is let in after it had starved, at a guess.
    static var buffersPerReceiver: Int { get }
    /// Whether a receive would find a buffer.
    func canReceive(_ state: borrowing WorkerState) -> Bool
    /// Makes buffers ready for receivers; returns how many are.
    mutating func supplyReceivers(_ state: inout WorkerState) -> Int
    /// How many buffers may be ready for receivers at most, as things are.
    func supplyMax(_ state: borrowing WorkerState) -> Int

    /// Whether a send tries at once. Then one that is under way has found that the peer's window is
    /// full; otherwise it may only be waiting for its turn.
    static var sendsAtOnce: Bool { get }
    /// Whether calls on its sockets wait.
    static var socketsWait: Bool { get }
    /// Sends the first buffers of the outbox. Sets `.sending` where the outcome comes as `.sent`.
    mutating func send(_ slot: UInt32, _ state: inout WorkerState) -> SendOutcome

    /// Waits until there is something to receive, in place of a receive: `.readable` follows, or
    /// `.receiveStopped`.
    mutating func awaitReadable(_ slot: UInt32, _ state: inout WorkerState)
    /// Something was received in another way, or there was nothing.
    mutating func readAside(_ slot: UInt32, _ state: inout WorkerState)
    /// Waits until a full socket takes more, in place of a send: `.writable` follows.
    mutating func awaitWritable(_ slot: UInt32, _ state: inout WorkerState)

    /// Sends FIN. Returns whether that leaves: if not, the peer would wait for it on and on.
    mutating func finish(_ slot: UInt32, _ state: inout WorkerState) -> Bool
    /// Brings everything in flight on a connection to its end, at once.
    mutating func cut(_ slot: UInt32, _ state: inout WorkerState)
    /// Whether bytes have arrived that were not yet reported.
    mutating func hasUnreadBytes(_ slot: UInt32, _ state: inout WorkerState) -> Bool
    /// Whether bytes were handed over that the peer has not acknowledged, also after the connection
    /// broke.
    mutating func hasUnacknowledgedBytes(_ slot: UInt32, _ state: borrowing WorkerState) -> Bool
    /// What TCP knows of a connection, also after it broke; nil where that cannot be had.
    mutating func transmission(_ descriptor: Descriptor) -> Transmission?
    /// The addresses of a connection's two ends, as far as they are known.
    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses

    /// Closes the descriptor. Nothing is in flight.
    mutating func close(_ descriptor: Descriptor, reset: Bool)

    /// The one system call of a turn: hands over everything queued, and waits until something has
    /// happened or the deadline (monotonic nanoseconds) has passed. Does not wait where `isIdle` is
    /// false.
    mutating func wait(until deadline: UInt64?, isIdle: Bool, _ state: inout WorkerState)
    /// Whether the last wait has brought anything.
    var hasEvents: Bool { get }
    /// The next event of this turn.
    mutating func next(_ state: inout WorkerState) -> Event?
}

/// What a driver is built for.
public struct DriverPlan: Sendable {
    /// The listening sockets of this worker.
    public var listeners: [Descriptor] = []
    /// Where connections can be made to.
    public var targets: [Target] = []
    /// Wakes the worker.
    public var doorbell: Doorbell
    /// Whether io_uring accepts and receives until further notice, or asks each time anew.
    public var usesMultishot = true
    /// Whether io_uring keeps accepted connections in tables of its own.
    public var registersFiles = false
    /// Whether io_uring is restricted to what the driver asks of it.
    public var restrictsRings = false
    /// Whether the worker looks for events before it sleeps.
    public var busyPolling = BusyPolling.off
    /// Set-up flags that io_uring does without even where the kernel has them: for tests of older
    /// kernels.
    public var refusedFlags: SetupFlags = []

    /// A plan without listeners and targets.
    public init(doorbell: Doorbell) { self.doorbell = doorbell }
}

/// What came of a send.
public enum SendOutcome {
    /// `.sent` will tell.
    case underWay
    /// The kernel took so many bytes.
    case sent(Int)
    case failed(Errno)
}

/// What has happened. Plain values: an event costs no allocation.
public enum Event {
    case accepted(listener: Int, Descriptor)
    /// Accepting is over: it was cancelled, or on an error.
    case acceptEnded(listener: Int, Errno)
    /// Accepting was to end, and has not.
    case acceptGoesOn(listener: Int)
    case connected(UInt32)
    case connectFailed(UInt32, Errno)
    /// Bytes have arrived. The receive goes on if the connection's `.receiving` is still set.
    case received(UInt32, BufferID)
    /// The receive ended without bytes and without cause for concern: ask again if bytes are
    /// wanted.
    case receiveStopped(UInt32)
    /// There is something to receive: bytes that a call will find without waiting, or else perhaps
    /// only FIN, an error or an urgent byte.
    case readable(UInt32, hasBytes: Bool)
    /// There is room for more bytes, or the connection broke.
    case writable(UInt32)
    /// The peer has sent FIN (nil), or the connection broke.
    case receiveEnded(UInt32, Errno?)
    /// No buffer was free.
    case starved(UInt32)
    case sent(UInt32, Int)
    case sendFailed(UInt32, Errno)
    /// Another thread rang.
    case doorbell
}

/// What a worker and its driver share: everything of one core, and of nobody else.
public struct WorkerState: ~Copyable {
    let limits: Limits
    var connections: ConnectionTable
    var buffers: BufferPool
    var pipes: PipePool
    var counters = Counters()
    var deadlines = Deadlines()
    /// Monotonic nanoseconds at the beginning of the turn, and the same in milliseconds; those
    /// wrap.
    var now: UInt64 = 0
    var nowMilliseconds: UInt32 = 0
    /// Numbers the turns; wraps.
    var turn: UInt32 = 0
    /// Buffers that the driver leaves free for the handler to produce into.
    let buffersKept: Int

    init(limits: Limits, _ production: Production) throws(SystemError) {
        let connections = try ConnectionTable(capacity: limits.connectionsMax)
        let buffers = try BufferPool(limits: limits)
        self.limits = limits
        self.connections = connections
        self.buffers = buffers
        pipes = PipePool(limits)
        buffersKept =
            switch production {
            case .none: 0
            case .little: max(1, limits.bufferCount / 16)
            case .most: limits.bufferCount / 2
            }
    }
}
