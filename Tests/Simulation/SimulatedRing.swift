// SimulatedRing: the ring of a model host. It only passes calls on, so that the simulation keeps
// the host while the driver owns the ring.

@_spi(Simulation) import Engine
import Net
import URing

/// A ring that plays the kernel's rules from a seed.
struct SimulatedRing: Ring, ~Copyable {
    private let host: ModelHost

    init(_ host: ModelHost) { self.host = host }

    var submissionRoom: Int { host.plan.limits.submissionEntries - host.queue.count }

    mutating func submit(_ submission: Submission, token: Token) {
        precondition(submissionRoom > 0, "the submission queue is full")
        host.queue.append(Queued(submission, token))
    }

    mutating func enter(waitingFor completions: Int, forAtMost nanoseconds: UInt64?) -> Errno? {
        host.enter(waitingFor: completions, forAtMost: nanoseconds)
    }

    var hasCompletions: Bool { host.hasCompletions }

    mutating func nextCompletion() -> Completion? { host.nextCompletion() }

    var hasOverflowed: Bool { !host.overflow.isEmpty }

    mutating func openGroup(_ group: BufferGroup, entries: Int) throws(SystemError) {
        if let error = host.plan.start.groupError {
            throw SystemError("io_uring_register(PBUF_RING)", error)
        }
        host.groupEntries = entries
    }

    mutating func provide(_ buffer: ProvidedBuffer, to group: BufferGroup) {
        host.staged.append(buffer)
    }

    mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno> {
        host.acceptQueued(listener)
    }

    mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError> {
        .failure(SystemError("socket", .tooManyFiles))
    }

    mutating func shutdown(
        _ descriptor: Descriptor,
        _ direction: ShutdownDirection
    ) -> Errno? {
        // Where no descriptor can be had it is done by a submission: never left out.
        host.openSocketForCall("shutdown", descriptor)?.shut(direction)
        return nil
    }

    mutating func resetOnClose(_ descriptor: Descriptor) {
        host.socketForCall("setsockopt", descriptor)?.resetsOnClose = true
    }

    mutating func hasUnreadBytes(_ descriptor: Descriptor) -> Bool {
        host.socketForCall("ioctl", descriptor).map { $0.arrived > 0 } ?? true
    }

    mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int {
        host.socketForCall("ioctl", descriptor)?.queued ?? 0
    }

    /// As where the process has no descriptor left to ask by.
    mutating func transmission(_ descriptor: Descriptor) -> Transmission? { nil }

    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        ConnectionAddresses(peer: nil, local: nil)
    }

    func now() -> UInt64 { host.timeline.now }
}
