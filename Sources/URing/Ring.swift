// Ring: the seam between the io_uring driver and the kernel. `KernelRing` is the kernel's; a
// simulated ring can play the kernel's rules from a seed. Most faults of io_uring servers lie in
// the order of completions, so the seam is here, below the driver.

public import Net

/// A queue pair: submissions go in, completions come out, and one call a turn does both.
public protocol Ring: ~Copyable {
    /// How many more submissions fit before the next `enter`.
    var submissionRoom: Int { get }

    /// Queues a submission. The caller has checked `submissionRoom`.
    ///
    /// Memory that the submission points to for sending belongs to the kernel until the completion.
    mutating func submit(_ submission: Submission, token: Token)

    /// Submits everything queued, publishes the staged buffers, and waits.
    ///
    /// - Parameters:
    ///   - completions: how many to wait for; 0 only runs what is due.
    ///   - nanoseconds: how long to wait at most; nil for no limit.
    /// - Returns: why the kernel took less than everything, or nil. An ended wait is no failure.
    ///   `interrupted`, `busy` and `tryAgain` are passing: reap, then enter again.
    mutating func enter(waitingFor completions: Int, forAtMost nanoseconds: UInt64?) -> Errno?

    /// Whether there is one of this turn.
    var hasCompletions: Bool { get }

    /// The next completion of this turn, or nil when there is none left.
    mutating func nextCompletion() -> Completion?

    /// Whether completions wait in the kernel's overflow list: the completion queue was too small.
    /// None is lost; the next `enter` brings them.
    var hasOverflowed: Bool { get }

    /// Opens a group of provided buffers.
    ///
    /// - Parameter entries: how many buffers it can hold: a power of two, at most 32768.
    mutating func openGroup(_ group: BufferGroup, entries: Int) throws(SystemError)

    /// Stages a buffer for the kernel to receive into. It is published by the next `enter`, and
    /// from then on the kernel's until a completion names it.
    mutating func provide(_ buffer: ProvidedBuffer, to group: BufferGroup)

    /// Accepts a connection that waits in a listener's queue, without waiting; `tryAgain` where
    /// there is none.
    mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno>
    /// Makes a socket for an outgoing connection. The socket calls and the clock are part of
    /// the seam because a simulated kernel has to see them.
    mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError>
    /// Ends a direction, or both at once (shutdown(2)); the pending operations complete. Returns
    /// why that failed, as far as it is known at once, or nil.
    mutating func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno?
    /// Makes the coming close send RST.
    mutating func resetOnClose(_ descriptor: Descriptor)
    /// Whether bytes have arrived in a socket that were not received; also where that cannot be
    /// found out, so that none is taken for lost.
    mutating func hasUnreadBytes(_ descriptor: Descriptor) -> Bool
    /// Bytes that a socket took to send and that were not acknowledged, also after it broke.
    mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int
    /// What TCP knows of a connection, also after it broke; nil where that cannot be had.
    mutating func transmission(_ descriptor: Descriptor) -> Transmission?
    /// The addresses of a connection's two ends, as far as they are known.
    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses
    /// Monotonic nanoseconds.
    func now() -> UInt64
}

/// What shutdown(2) ends.
public enum ShutdownDirection: Sendable {
    /// Nothing more is sent: FIN.
    case writing
    /// Nothing more is sent or received.
    case both
}

/// What is asked of the kernel. Everything is a plain value: no submission allocates.
public enum Submission {
    /// Accepts connections until it ends (Linux 5.19); one completion each, its result the
    /// descriptor.
    case acceptMultishot(Descriptor)
    /// Accepts one connection.
    case accept(Descriptor)
    /// Connects. The address is in the kernel's form and stays in place until the next `enter`.
    case connect(Descriptor, address: UnsafeRawPointer, addressBytes: UInt32)
    /// Receives into buffers of a group until it ends (Linux 6.0).
    case receiveMultishot(Descriptor, into: BufferGroup)
    /// Receives once into a buffer of a group.
    case receive(Descriptor, into: BufferGroup)
    /// Sends bytes, waiting until all have been taken.
    case send(Descriptor, bytes: UnsafeRawPointer, byteCount: Int)
    /// Sends several pieces in order, as one. At most `pieceLimit` of them.
    case sendPieces(Descriptor, UnsafeBufferPointer<Piece>)
    /// Completes when the descriptor becomes readable.
    case pollReadable(Descriptor)
    /// Completes when the descriptor becomes writable.
    case pollWritable(Descriptor)
    /// Asks for the end of the operation that carries the token. A hint: only the operation's own
    /// last completion ends it. Posts a completion of its own only where nothing was found.
    case cancel(Token)
    /// Closes a descriptor. Posts a completion only on failure.
    case close(Descriptor)

    /// The most pieces of one vectored send.
    public static let pieceLimit = 16
}

/// A set of buffers that receives draw from. At most four a ring.
public struct BufferGroup: Equatable, Sendable {
    /// The group's number: 0, 1 or 2; number 3 is the probe's.
    public let rawValue: UInt16

    /// Names a group.
    public init(rawValue: UInt16) { self.rawValue = rawValue }
}

/// A buffer handed to the kernel.
public struct ProvidedBuffer {
    /// The number under which completions name it.
    public var id: UInt16
    /// Its memory.
    public var bytes: UnsafeMutableRawPointer
    /// Its size.
    public var byteCount: Int

    /// Names a buffer.
    @inline(__always)
    public init(id: UInt16, bytes: UnsafeMutableRawPointer, byteCount: Int) {
        self.id = id
        self.bytes = bytes
        self.byteCount = byteCount
    }
}

/// The outcome of an operation, or one of several of a multishot one.
public struct Completion: Equatable, Sendable {
    /// What the submission carried.
    public var token: Token
    /// What the system call of the same name would have returned, or `-errno`.
    public var result: Int32
    /// The kernel's flags.
    var flags: UInt32

    /// Puts a completion together, as a simulated ring does.
    @inline(__always)
    public init(token: Token, result: Int32, bufferID: UInt16? = nil, hasMore: Bool = false) {
        self.token = token
        self.result = result
        flags = hasMore ? Completion.moreFlag : 0
        if let bufferID {
            flags |= Completion.bufferFlag | UInt32(bufferID) << Completion.bufferShift
        }
    }

    /// Whether the operation goes on. Without it a multishot operation has ended, also after
    /// success.
    @inline(__always)
    public var hasMore: Bool { flags & Completion.moreFlag != 0 }

    /// The buffer that the kernel hands over with this completion, if any.
    @inline(__always)
    public var bufferID: UInt16? {
        flags & Completion.bufferFlag == 0
            ? nil : UInt16(truncatingIfNeeded: flags >> Completion.bufferShift)
    }

    // IORING_CQE_F_BUFFER, IORING_CQE_F_MORE and IORING_CQE_BUFFER_SHIFT of the kernel's interface.
    static let bufferFlag: UInt32 = 1 << 0
    static let moreFlag: UInt32 = 1 << 1
    static let bufferShift: UInt32 = 16
    /// The flags above and the buffer's number. What else the kernel says is not asked for.
    static let knownFlags: UInt32 = 0xffff_0003
}
