// SimulatedCalls: the system calls of a model host. It only passes calls on, so that the simulation
// keeps the host while the driver owns the calls.

import Engine
import Net

/// System calls that play the kernel's rules from a seed.
struct SimulatedCalls: SystemCalls, ~Copyable {
    private let host: ModelHost

    init(_ host: ModelHost) { self.host = host }

    mutating func watch(
        _ descriptor: Descriptor,
        _ interest: Readiness,
        token: UInt64
    ) -> Errno? {
        host.watch(descriptor, interest, token: token)
    }

    mutating func unwatch(_ descriptor: Descriptor) { host.unwatch(descriptor) }

    mutating func wait(forAtMost nanoseconds: UInt64?) -> Int {
        host.wait(forAtMost: nanoseconds)
    }

    func event(_ index: Int) -> (token: UInt64, readiness: Readiness) { host.poll.events[index] }

    mutating func silence(_ doorbell: Doorbell) {
        host.pass()
        if !host.makes(.interrupted) { host.hasRung = false }
    }

    func now() -> UInt64 { host.timeline.now }

    mutating func accept(_ listener: Descriptor) -> Int { host.accept(listener) }

    /// An echo makes no connections.
    mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError> {
        .failure(SystemError("socket", .tooManyFiles))
    }

    mutating func connect(
        _ descriptor: Descriptor,
        to address: UnsafeRawPointer,
        byteCount: UInt32
    ) -> Errno? {
        host.fail("a connect, for which an echo has no use")
        return .notSupported
    }

    mutating func takeError(_ descriptor: Descriptor) -> Errno? {
        host.fail("SO_ERROR, for which an echo has no use")
        return nil
    }

    mutating func receive(
        _ descriptor: Descriptor,
        into bytes: UnsafeMutableRawPointer,
        byteCount: Int
    ) -> Int {
        host.receive(descriptor, into: bytes, byteCount: byteCount)
    }

    mutating func send(
        _ descriptor: Descriptor,
        _ pieces: UnsafeBufferPointer<Piece>
    ) -> Int {
        host.send(descriptor, pieces)
    }

    mutating func shutdownWriting(_ descriptor: Descriptor) -> Errno? {
        host.shutdownWriting(descriptor)
    }

    mutating func resetOnClose(_ descriptor: Descriptor) { host.resetOnClose(descriptor) }

    mutating func unreadByteCount(_ descriptor: Descriptor) -> Int {
        host.unreadByteCount(descriptor)
    }

    mutating func isAtUrgentByte(_ descriptor: Descriptor) -> Bool {
        host.isAtUrgentByte(descriptor)
    }

    mutating func peek(_ descriptor: Descriptor) -> Int { host.peek(descriptor) }

    mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int {
        host.unacknowledgedByteCount(descriptor)
    }

    mutating func transmission(_ descriptor: Descriptor) -> Transmission? {
        host.transmission(descriptor)
    }

    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        ConnectionAddresses(peer: nil, local: nil)
    }

    mutating func close(_ descriptor: Descriptor) { host.closeForCall(descriptor) }
}
