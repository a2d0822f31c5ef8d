// Clients: the other side of an ideal kernel. Every client sends, waits for its echo, and sends
// again at once, or ends its connection and makes another. There is no network, no time and no
// chance: the same workload makes the engine do the same, to the instruction.

/// What the clients do.
public enum Workload: String, CaseIterable, Sendable {
    /// One message of 64 bytes at a time.
    case echo
    /// Four messages in a row that arrive apart, so that three wait behind the first one's send.
    case pipelined
    /// One message, then FIN and a new connection.
    case churn

    /// Messages in a row.
    var burst: Int { self == .pipelined ? 4 : 1 }
}

/// The clients of one run.
final class Clients {
    static let count = 50
    static let messageBytes = 64
    /// The descriptor of the first client's connection; those of the others follow it.
    static let firstDescriptor: Int32 = 100

    private let workload: Workload
    /// Messages whose echo was complete.
    private(set) var messages = 0
    // By client: messages that have arrived and were not received, and bytes of echo that are due.
    private let unread: UnsafeMutablePointer<Int>
    private let owed: UnsafeMutablePointer<Int>
    // Clients that wait for accept, in order, as a ring.
    private let waiting: UnsafeMutablePointer<Int>
    private var waitingFirst = 0
    private(set) var waitingCount = 0

    init(_ workload: Workload) {
        self.workload = workload
        unread = .allocate(capacity: Clients.count)
        owed = .allocate(capacity: Clients.count)
        waiting = .allocate(capacity: Clients.count)
        unread.initialize(repeating: 0, count: Clients.count)
        owed.initialize(repeating: 0, count: Clients.count)
        waiting.initialize(repeating: 0, count: Clients.count)
        for client in 0..<Clients.count { connect(client) }
    }

    deinit {
        unread.deallocate()
        owed.deallocate()
        waiting.deallocate()
    }

    /// The client at the other end of a descriptor.
    static func client(_ descriptor: Int32) -> Int { Int(descriptor - firstDescriptor) }

    /// A client connects, and sends without waiting.
    func connect(_ client: Int) {
        waiting[(waitingFirst + waitingCount) % Clients.count] = client
        waitingCount += 1
        send(client)
    }

    /// The next client that waits for accept.
    func accepted() -> Int? {
        guard waitingCount > 0 else { return nil }
        let client = waiting[waitingFirst]
        waitingFirst = (waitingFirst + 1) % Clients.count
        waitingCount -= 1
        return client
    }

    private func send(_ client: Int) {
        unread[client] = workload.burst
        owed[client] = workload.burst * Clients.messageBytes
    }

    /// What has arrived of a client's messages.
    func unreadCount(_ client: Int) -> Int { unread[client] }

    /// So many of them were received.
    func received(_ client: Int, count: Int) { unread[client] -= count }

    /// Bytes of an echo have come back. Returns whether that was the last a client wants: FIN
    /// follows.
    func answered(_ client: Int, byteCount: Int) -> Bool {
        owed[client] -= byteCount
        precondition(owed[client] >= 0, "more came back than was sent")
        guard owed[client] == 0 else { return false }
        messages += workload.burst
        guard workload != .churn else { return true }
        send(client)
        return false
    }
}
