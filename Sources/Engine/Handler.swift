// Handler: what a service or a workload is. It sees bytes and names of connections, never a driver,
// a descriptor or a completion. It answers with a verdict and may queue effects, which the worker
// applies after the call: so the same handler runs on either driver, and nothing is entered twice.

public import Net

/// What becomes of received bytes.
public enum Verdict: Equatable, Sendable {
    /// They go back to where they came from, in the buffer they arrived in.
    case echo
    /// They go to another connection, in the buffer they arrived in. Where that connection has
    /// ended they are dropped.
    case forward(to: ConnectionID)
    /// They have been dealt with.
    case consume
    /// The connection is cut: what is queued is dropped.
    case abort
}

/// How much a handler has of its own to send.
public enum Production: Sendable {
    /// `produce` is never asked for.
    case none
    /// A few bytes for some connections.
    case little
    /// It is what most bytes come from.
    case most
}

/// The logic of one worker's connections. Every call comes from that worker's thread.
public protocol Handler: ~Copyable, SendableMetatype {
    /// How much `produce` is asked for: a worker keeps buffers for it. Asked for once.
    var production: Production { get }

    /// Whether `Effects.addresses` is wanted when a connection is accepted, which takes two system
    /// calls.
    var asksAddresses: Bool { get }

    /// The worker runs. Connections can be asked for.
    mutating func started(_ effects: inout Effects)

    /// A connection was accepted, or the one asked for under `tag` was made.
    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects)

    /// A connection asked for could not be made.
    mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects)

    /// Bytes have arrived. They are valid during the call.
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict

    /// Asked for by `Effects.produce(on:)`, and again as long as it fills `bytes`: puts bytes to
    /// send on the connection at the start of `bytes` and returns how many.
    mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int

    /// The peer has sent FIN: it will send nothing more. What was received goes on being sent.
    /// Without an effect to the contrary the connection then ends with our FIN.
    mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects)

    /// The connection that is let go together with one at a stop at a pace; nil where there is
    /// none. Each is the other's.
    func partner(of connection: ConnectionID) -> ConnectionID?

    /// The connection has ended; its name is void.
    mutating func closed(_ connection: ConnectionID, _ end: ConnectionEnd, _ effects: inout Effects)

    /// What the handler has to say about a connection that ends, for its record; nil where it needs
    /// none. Called before `closed`, and only where records are kept.
    func remark(on connection: ConnectionID, _ end: ConnectionEnd) -> Remark?

    /// The moment asked for by `Effects.wake(at:)` has come, or another thread rang.
    mutating func woke(_ effects: inout Effects)

    /// The worker has ended; no further call follows.
    mutating func stopped()
}

// What most handlers do.
extension Handler where Self: ~Copyable {
    public var production: Production { .none }
    public var asksAddresses: Bool { @inline(__always) get { false } }
    public func remark(on connection: ConnectionID, _ end: ConnectionEnd) -> Remark? { Remark() }
    public func partner(of connection: ConnectionID) -> ConnectionID? { nil }
    public mutating func started(_ effects: inout Effects) {}
    public mutating func opened(
        _ connection: ConnectionID,
        tag: UInt32,
        _ effects: inout Effects
    ) {}
    public mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects) {}
    public mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int { 0 }
    public mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        effects.finish(connection)
    }
    public mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {}
    public mutating func woke(_ effects: inout Effects) {}
    public mutating func stopped() {}
}
