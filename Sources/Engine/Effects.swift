// Effects: what a handler wants done, queued during a call and applied by the worker after it. The
// queue's size is fixed by the limits.

public import Net

/// The wishes of a handler.
public struct Effects: ~Copyable {
    enum Effect {
        case connect(target: Int, tag: UInt32)
        case produce(ConnectionID)
        case pause(ConnectionID)
        case resume(ConnectionID)
        case finish(ConnectionID)
        case abort(ConnectionID)
        case reset(ConnectionID)
        case begin(ConnectionID)
        case stop
    }

    /// Monotonic nanoseconds at the beginning of this turn.
    public internal(set) var now: UInt64 = 0
    /// Nanoseconds that the worker has spent looking for events instead of sleeping.
    public internal(set) var lookedNanoseconds: UInt64 = 0
    /// The addresses of the connection that was accepted, while `opened` is called: where the
    /// handler asks for them.
    public internal(set) var addresses = ConnectionAddresses(peer: nil, local: nil)
    /// Targets that have other addresses now, taken by the worker.
    var retargets: [(target: Int, address: SocketAddress)] = []
    /// Set by `wake(at:)`, taken by the worker.
    var wakeMoment: UInt64?

    private let queue: UnsafeMutablePointer<Effect>
    private let capacity: Int
    private var head = 0
    private var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        queue = .allocate(capacity: capacity)
    }

    deinit { queue.deallocate() }

    /// Makes a connection to a target of the worker's plan; `tag` comes back in `opened` or
    /// `connectFailed`.
    public mutating func connect(to target: Int, tag: UInt32) {
        append(.connect(target: target, tag: tag))
    }

    /// Has later connects to a target go to another address. Only from `started` and `woke`.
    public mutating func retarget(_ target: Int, to address: SocketAddress) {
        retargets.append((target, address))
    }

    /// Has `produce` called until it has less than a buffer, as far as buffers and the peer allow.
    public mutating func produce(on connection: ConnectionID) { append(.produce(connection)) }

    /// Stops reading from a connection until `resume`. What the kernel has delivered still comes.
    public mutating func pause(_ connection: ConnectionID) { append(.pause(connection)) }

    /// Reads again from a connection.
    public mutating func resume(_ connection: ConnectionID) { append(.resume(connection)) }

    /// Sends what is queued, then FIN. Bytes from the peer still come until its own FIN.
    public mutating func finish(_ connection: ConnectionID) { append(.finish(connection)) }

    /// Cuts a connection with RST: what is queued is dropped.
    public mutating func abort(_ connection: ConnectionID) { append(.abort(connection)) }

    /// Sends what is queued, and RST once the peer has acknowledged it all: as a peer that reset
    /// another connection would end this one.
    public mutating func reset(_ connection: ConnectionID) { append(.reset(connection)) }

    /// Reads from a connection for the first time, unless it is paused.
    mutating func begin(_ connection: ConnectionID) { append(.begin(connection)) }

    /// Has `woke` called at a moment, in place of an earlier wish.
    public mutating func wake(at moment: UInt64) { wakeMoment = moment }

    /// Stops the worker.
    public mutating func stop() { append(.stop) }

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    private mutating func append(_ effect: Effect) {
        precondition(count < capacity, "a handler queued more effects than its limits allow")
        var tail = head + count
        if tail >= capacity { tail -= capacity }
        (queue + tail).initialize(to: effect)
        count += 1
    }

    @inline(__always)
    mutating func popFirst() -> Effect? {
        guard count > 0 else { return nil }
        let effect = queue[head]
        head += 1
        if head == capacity { head = 0 }
        count -= 1
        return effect
    }
}
