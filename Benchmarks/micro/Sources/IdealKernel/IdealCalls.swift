// IdealCalls: the system calls of an ideal kernel, for the epoll driver. Every wait brings an event
// for each client that has sent, and no call is ever refused.

import Net
import URing

struct IdealCalls: SystemCalls, ~Copyable {
    private let clients: Clients
    private var listenerToken: UInt64 = 0
    // By client: what its events carry, and whether its FIN has arrived. Plain memory: whether an
    // array's check for one owner is inlined depends on the size of what calls it.
    private let tokens: UnsafeMutablePointer<UInt64?>
    private let hasFinished: UnsafeMutablePointer<Bool>
    private var events: [(token: UInt64, readiness: Readiness)] = []

    init(_ clients: Clients) {
        self.clients = clients
        tokens = .allocate(capacity: Clients.count)
        tokens.initialize(repeating: nil, count: Clients.count)
        hasFinished = .allocate(capacity: Clients.count)
        hasFinished.initialize(repeating: false, count: Clients.count)
    }

    deinit {
        tokens.deallocate()
        hasFinished.deallocate()
    }

    mutating func watch(_ descriptor: Descriptor, _ interest: Readiness, token: UInt64) -> Errno? {
        if descriptor.rawValue >= Clients.firstDescriptor {
            tokens[Clients.client(descriptor.rawValue)] = token
        } else if descriptor == IdealWorker.listener {
            listenerToken = token
        }
        return nil
    }

    mutating func unwatch(_ descriptor: Descriptor) {}

    mutating func wait(forAtMost nanoseconds: UInt64?) -> Int {
        events.removeAll(keepingCapacity: true)
        if clients.waitingCount > 0 { events.append((listenerToken, .readable)) }
        for client in 0..<Clients.count {
            guard let token = tokens[client] else { continue }
            if hasFinished[client] {
                events.append((token, [.readable, .writable, .peerFinished]))
            } else if clients.unreadCount(client) > 0 {
                events.append((token, [.readable, .writable]))
            }
        }
        return events.count
    }

    func event(_ index: Int) -> (token: UInt64, readiness: Readiness) { events[index] }

    mutating func silence(_ doorbell: Doorbell) {}

    func now() -> UInt64 { 1_000_000_000 }

    mutating func accept(_ listener: Descriptor) -> Int {
        guard let client = clients.accepted() else { return -Int(Errno.tryAgain.rawValue) }
        return Int(Clients.firstDescriptor) + client
    }

    mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError> {
        .failure(SystemError("socket", .notSupported))
    }

    mutating func connect(
        _ descriptor: Descriptor,
        to address: UnsafeRawPointer,
        byteCount: UInt32
    ) -> Errno? {
        .notSupported
    }

    mutating func takeError(_ descriptor: Descriptor) -> Errno? { nil }

    mutating func receive(
        _ descriptor: Descriptor,
        into bytes: UnsafeMutableRawPointer,
        byteCount: Int
    ) -> Int {
        let client = Clients.client(descriptor.rawValue)
        let count = clients.unreadCount(client)
        guard count > 0 else { return hasFinished[client] ? 0 : -Int(Errno.tryAgain.rawValue) }
        clients.received(client, count: count)
        return count * Clients.messageBytes
    }

    mutating func send(_ descriptor: Descriptor, _ pieces: UnsafeBufferPointer<Piece>) -> Int {
        let client = Clients.client(descriptor.rawValue)
        let count = pieces.reduce(0) { $0 + $1.byteCount }
        if clients.answered(client, byteCount: count) { hasFinished[client] = true }
        return count
    }

    mutating func shutdownWriting(_ descriptor: Descriptor) -> Errno? { nil }

    mutating func resetOnClose(_ descriptor: Descriptor) {}

    mutating func unreadByteCount(_ descriptor: Descriptor) -> Int { 0 }

    mutating func isAtUrgentByte(_ descriptor: Descriptor) -> Bool { false }

    mutating func peek(_ descriptor: Descriptor) -> Int { 0 }

    mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int { 0 }

    mutating func transmission(_ descriptor: Descriptor) -> Transmission? { nil }

    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        ConnectionAddresses(peer: nil, local: nil)
    }

    mutating func close(_ descriptor: Descriptor) {
        let client = Clients.client(descriptor.rawValue)
        tokens[client] = nil
        hasFinished[client] = false
        clients.connect(client)
    }
}
