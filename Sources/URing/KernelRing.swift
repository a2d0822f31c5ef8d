// KernelRing: the ring of the running kernel. One thread makes it, enters it and destroys it.

internal import CURing
public import Net

/// An io_uring instance (io_uring(7)).
///
/// It belongs to the thread that makes it: with SINGLE_ISSUER the kernel refuses any other.
public struct KernelRing: Ring, ~Copyable {
    /// Sizes and features to ask for.
    public struct Options: Sendable {
        /// Submissions that fit between two enters. A power of two.
        public var submissionEntries: Int
        /// Completions that fit between two enters. A power of two.
        public var completionEntries: Int
        /// Set-up flags to do without even where the kernel has them.
        public var refusedFlags: SetupFlags = []
        /// How many accepted connections the ring keeps in a table of its own instead of as
        /// descriptors of the process; 0 for none. At most RLIMIT_NOFILE. Linux 6.8.
        public var registeredFiles = 0
        /// What the ring is to be restricted to; nil for nothing. A ring that is has to be given
        /// its groups of buffers first, and then to be enabled.
        public var restriction: RingRestriction?
        #if BUGBANK
            /// Whether sends are made as a careless server makes them, see `makeWrite`.
            package var sendsAreWrites = false
        #endif

        /// Options for two queue sizes, every feature on.
        public init(submissionEntries: Int, completionEntries: Int) {
            self.submissionEntries = submissionEntries
            self.completionEntries = completionEntries
        }
    }

    // The C structure lives at a fixed address: the kernel and liburing keep pointers into it.
    private let ring: UnsafeMutablePointer<curing_ring>
    // Completions between head and tail have been seen and are not yet given back.
    private var head: UInt32
    private var tail: UInt32
    /// Whether connections are registered files.
    public let registersFiles: Bool
    private let restriction: RingRestriction?
    /// Submissions that fit before the next enter.
    public private(set) var submissionRoom: Int
    #if BUGBANK
        private let sendsAreWrites: Bool
    #endif

    /// Opens a ring on the calling thread, stepping down the set-up ladder where the kernel is
    /// older, and halving the sizes where memory is short (RLIMIT_MEMLOCK).
    public init(_ options: Options) throws(SystemError) {
        let ring = UnsafeMutablePointer<curing_ring>.allocate(capacity: 1)
        var request = curing_options(
            submission_entries: UInt32(options.submissionEntries),
            completion_entries: UInt32(options.completionEntries),
            refused_flags: options.refusedFlags.rawValue,
            restricted: options.restriction != nil
        )
        let result = curing_open(ring, &request)
        guard result == 0 else {
            ring.deallocate()
            throw SystemError("io_uring_setup", Errno(rawValue: -result))
        }
        do throws(SystemError) {
            try KernelRing.openFiles(options.registeredFiles, ring)
        } catch {
            curing_close(ring)
            ring.deallocate()
            throw error
        }
        self.ring = ring
        head = curing_completion_head(ring)
        tail = head
        submissionRoom = Int(curing_submission_room(ring))
        registersFiles = options.registeredFiles > 0
        restriction = options.restriction
        #if BUGBANK
            sendsAreWrites = options.sendsAreWrites
        #endif
    }

    /// Has a restricted ring take submissions; nothing more can be registered with it. For any
    /// other ring it has no effect.
    public func enable() throws(SystemError) {
        guard let restriction else { return }
        var wanted = curing_restriction(
            connects: restriction.connects,
            registers_files: registersFiles,
            writes: false
        )
        #if BUGBANK
            wanted.writes = sendsAreWrites
        #endif
        let result = curing_restrict(ring, &wanted)
        try SystemError.check("io_uring_register(RESTRICTIONS)", result)
    }

    private static func openFiles(
        _ count: Int,
        _ ring: UnsafeMutablePointer<curing_ring>
    ) throws(SystemError) {
        guard count > 0 else { return }
        guard knowsInstallation(ring) else {
            throw SystemError("io_uring registered files (Linux 6.8)", .notSupported)
        }
        let result = curing_open_files(ring, UInt32(count))
        try SystemError.check("io_uring_register(FILES)", result)
    }

    private static func knowsInstallation(_ ring: UnsafeMutablePointer<curing_ring>) -> Bool {
        curing_supports(ring, CURING_OP_FIXED_FD_INSTALL) > 0
    }

    /// Whether this kernel would let connections be registered files.
    var canRegisterFiles: Bool { KernelRing.knowsInstallation(ring) }

    deinit {
        curing_close(ring)
        ring.deallocate()
    }

    /// The set-up flags that the ladder ended with.
    public var setupFlags: SetupFlags { SetupFlags(rawValue: ring.pointee.setup_flags) }

    /// The feature bits of the kernel (io_uring_setup(2)).
    var features: UInt32 { ring.pointee.ring.features }

    /// The sizes of the queues after clamping and halving.
    public var entries: (submissions: Int, completions: Int) {
        (Int(ring.pointee.ring.sq.ring_entries), Int(ring.pointee.ring.cq.ring_entries))
    }

    public var hasOverflowed: Bool {
        @inline(__always) get { curing_overflowed(ring) }
    }

    @inline(__always)
    public mutating func submit(_ submission: Submission, token: Token) {
        precondition(submissionRoom > 0, "the submission queue is full")
        submissionRoom &-= 1
        let token = token.rawValue
        switch submission {
        case .acceptMultishot(let listener):
            curing_accept(ring, listener.rawValue, true, registersFiles, token)
        case .accept(let listener):
            curing_accept(ring, listener.rawValue, false, registersFiles, token)
        case .connect(let descriptor, let address, let addressBytes):
            curing_connect(ring, descriptor.rawValue, address, addressBytes, token)
        case .receiveMultishot(let descriptor, let group):
            curing_receive(ring, descriptor.rawValue, group.rawValue, true, token)
        case .receive(let descriptor, let group):
            curing_receive(ring, descriptor.rawValue, group.rawValue, false, token)
        case .send(let descriptor, let bytes, let byteCount):
            let count = UInt32(truncatingIfNeeded: byteCount)
            curing_send(ring, descriptor.rawValue, bytes, count, token)
        case .sendPieces(let descriptor, let pieces):
            sendPieces(descriptor, pieces, token)
        case .pollReadable(let descriptor):
            curing_poll_readable(ring, descriptor.rawValue, token)
        case .pollWritable(let descriptor):
            curing_poll_writable(ring, descriptor.rawValue, token)
        case .cancel(let target):
            curing_cancel(ring, target.rawValue, token)
        case .close(let descriptor):
            curing_close_descriptor(ring, descriptor.rawValue, token)
        }
        #if BUGBANK
            if sendsAreWrites { makeWrite() }
        #endif
    }

    private func sendPieces(
        _ descriptor: Descriptor,
        _ pieces: UnsafeBufferPointer<Piece>,
        _ token: UInt64
    ) {
        precondition(pieces.count <= Submission.pieceLimit)
        for index in 0..<pieces.count {
            let piece = pieces[index]
            curing_set_piece(ring, UInt32(index), piece.bytes, piece.byteCount)
        }
        curing_send_vector(ring, descriptor.rawValue, UInt32(pieces.count), token)
    }

    @inline(__always)
    public mutating func enter(
        waitingFor completions: Int,
        forAtMost nanoseconds: UInt64?
    ) -> Errno? {
        curing_commit_buffers(ring)
        curing_completion_advance(ring, head)
        let timeout = nanoseconds.map { Int64(clamping: $0) } ?? -1
        let result = curing_enter(ring, UInt32(truncatingIfNeeded: completions), timeout)
        tail = curing_completion_tail(ring)
        submissionRoom = Int(curing_submission_room(ring))
        guard result < 0, result != -ETIME else { return nil }
        return Errno(rawValue: -result)
    }

    public var hasCompletions: Bool {
        @inline(__always) get { head != tail }
    }

    @inline(__always)
    public mutating func nextCompletion() -> Completion? {
        guard head != tail else { return nil }
        let entry = curing_completion_at(ring, head)
        head &+= 1
        return Completion(kernelToken: entry.token, result: entry.result, flags: entry.flags)
    }

    public mutating func openGroup(_ group: BufferGroup, entries: Int) throws(SystemError) {
        precondition(entries > 0 && entries <= 32768 && entries & (entries - 1) == 0)
        let result = curing_open_group(ring, group.rawValue, UInt32(entries))
        try SystemError.check("io_uring_register(PBUF_RING)", result)
    }

    @inline(__always)
    public mutating func provide(_ buffer: ProvidedBuffer, to group: BufferGroup) {
        let count = UInt32(truncatingIfNeeded: buffer.byteCount)
        curing_provide(ring, group.rawValue, buffer.bytes, count, buffer.id)
    }

    public mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno> {
        listener.accept()
    }

    public mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError> {
        Result { () throws(SystemError) in
            guard !registersFiles else { return try openRegisteredSocket(family, from: source) }
            let socket = try Socket.outgoing(family, from: source)
            // A send that finds a socket full again and again (128 times, as where memory is
            // short) the kernel hands to a thread of its own, and that has to be able to wait.
            socket.setWaiting(true)
            return socket
        }
    }

    private mutating func openRegisteredSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) throws(SystemError) -> Descriptor {
        let domain = family == .v4 ? AF_INET : AF_INET6
        let slot = curing_socket(ring, domain, Token.socket.rawValue)
        tail = curing_completion_tail(ring)
        submissionRoom = Int(curing_submission_room(ring))
        let socket = Descriptor.registered(slot: try SystemError.check("socket", slot))
        let outcome = withPlain(socket) { plain in
            Result { () throws(SystemError) in try Socket.prepareOutgoing(plain, from: source) }
        }
        do throws(SystemError) {
            guard let outcome else { throw SystemError("socket", .tooManyFiles) }
            try outcome.get()
        } catch {
            submit(.close(socket), token: .socket)
            throw error
        }
        return socket
    }

    public mutating func shutdown(
        _ descriptor: Descriptor,
        _ direction: ShutdownDirection
    ) -> Errno? {
        // OP_SHUTDOWN always goes to a kernel worker thread: the plain call is cheaper.
        let outcome: Errno?? = withPlain(descriptor) {
            switch direction {
            case .writing: $0.shutdownWriting()
            case .both: $0.shutdownBoth()
            }
        }
        if let outcome { return outcome }
        precondition(submissionRoom > 0, "the submission queue is full")
        submissionRoom &-= 1
        let how = direction == .writing ? SHUT_WR : SHUT_RDWR
        curing_shutdown(ring, descriptor.rawValue, Int32(how), Token.installation.rawValue)
        return nil
    }

    public mutating func resetOnClose(_ descriptor: Descriptor) {
        withPlain(descriptor) { $0.resetOnClose() }
    }

    public mutating func hasUnreadBytes(_ descriptor: Descriptor) -> Bool {
        withPlain(descriptor) { $0.hasUnreadBytes } ?? true
    }

    public mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int {
        withPlain(descriptor) { $0.unacknowledgedByteCount } ?? 0
    }

    public mutating func transmission(_ descriptor: Descriptor) -> Transmission? {
        withPlain(descriptor) { $0.transmission } ?? nil
    }

    public mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        withPlain(descriptor) { $0.addresses } ?? ConnectionAddresses(peer: nil, local: nil)
    }

    /// Makes calls that know only plain descriptors. A registered file becomes one for the moment,
    /// which is for what happens seldom; nil where the process has no descriptor left for it.
    @discardableResult
    private mutating func withPlain<Answer>(
        _ descriptor: Descriptor,
        _ call: (Descriptor) -> Answer
    ) -> Answer? {
        guard descriptor.isRegistered else { return call(descriptor) }
        let slot = UInt32(descriptor.slot)
        let result = curing_install(ring, slot, Token.installation.rawValue)
        tail = curing_completion_tail(ring)
        submissionRoom = Int(curing_submission_room(ring))
        guard result >= 0 else { return nil }
        let plain = Descriptor(rawValue: result)
        defer { plain.close() }
        return call(plain)
    }

    @inline(__always)
    public func now() -> UInt64 { Clock.monotonicNanoseconds() }

    /// Whether the kernel knows an operation (IORING_REGISTER_PROBE).
    func supports(_ opcode: io_uring_op) -> Bool {
        curing_supports(ring, Int32(opcode.rawValue)) > 0
    }

    /// Whether buffer rings and multishot receive work here, found out by receiving one byte.
    func probeMultishotReceive() throws(SystemError) {
        try SystemError.check("io_uring multishot receive", curing_probe_multishot(ring))
    }
}

extension Completion {
    @inline(__always)
    init(kernelToken: UInt64, result: Int32, flags: UInt32) {
        token = Token(rawValue: kernelToken)
        self.result = result
        self.flags = flags & Completion.knownFlags
    }
}

/// What a ring can be restricted to (IORING_REGISTER_RESTRICTIONS, Linux 5.10): the operations of a
/// driver. Filters of system calls do not see what a ring is asked for.
public struct RingRestriction: Equatable, Sendable {
    /// Whether it connects.
    public var connects: Bool

    /// A restriction to serving, and perhaps to connecting.
    public init(connects: Bool) { self.connects = connects }
}

/// Set-up flags of a ring (io_uring_setup(2)).
public struct SetupFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Completions run only inside our own enter, in one batch. Linux 6.1.
    public static let deferTaskrun = SetupFlags(rawValue: CURING_SETUP_DEFER_TASKRUN)
    /// One thread submits. Linux 6.0.
    public static let singleIssuer = SetupFlags(rawValue: CURING_SETUP_SINGLE_ISSUER)
    /// No interrupt to our CPU when a completion arrives. Linux 5.19.
    public static let cooperativeTaskrun = SetupFlags(rawValue: CURING_SETUP_COOP_TASKRUN)
    /// One bad submission does not stop its batch. Linux 5.18.
    public static let submitAll = SetupFlags(rawValue: CURING_SETUP_SUBMIT_ALL)
}

#if BUGBANK
    extension KernelRing {
        /// Makes the last submission a write where it is a send: fault F17 of the bug bank. The
        /// kernel lets no send of a ring raise SIGPIPE, whatever its flags, but a write does.
        private func makeWrite() {
            let queue = ring.pointee.ring.sq
            let entry = queue.sqes + Int((queue.sqe_tail &- 1) & queue.ring_mask)
            switch UInt32(entry.pointee.opcode) {
            case IORING_OP_SEND.rawValue:
                entry.pointee.opcode = UInt8(IORING_OP_WRITE.rawValue)
            case IORING_OP_SENDMSG.rawValue:
                let header = UnsafePointer<msghdr>(bitPattern: UInt(entry.pointee.addr))!.pointee
                entry.pointee.opcode = UInt8(IORING_OP_WRITEV.rawValue)
                entry.pointee.addr = UInt64(UInt(bitPattern: header.msg_iov))
                entry.pointee.len = UInt32(header.msg_iovlen)
            default: return
            }
            entry.pointee.rw_flags = 0
        }
    }
#endif
