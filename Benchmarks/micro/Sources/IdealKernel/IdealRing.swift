// IdealRing: a ring whose kernel is never late and never short of anything. What an enter was given
// is done when it returns, so that all that is left to count is the engine.

import Net
import URing

struct IdealRing: Ring, ~Copyable {
    private struct Sent {
        var token: Token
        var client: Int
        var byteCount: Int
    }

    private static let entries = 1024

    private let clients: Clients
    private var acceptToken: Token?
    // By client: what its receive carries, while that is armed.
    private var armed: [Token?]
    private var hasFinished: [Bool]
    private var sends: [Sent] = []
    // Buffers that were handed over, in order; those before `provided` are used up.
    private var buffers: [UInt16] = []
    private var provided = 0
    private var completions: [Completion] = []
    private var seen = 0
    private(set) var submissionRoom = IdealRing.entries

    init(_ clients: Clients) {
        self.clients = clients
        armed = Array(repeating: nil, count: Clients.count)
        hasFinished = Array(repeating: false, count: Clients.count)
    }

    mutating func submit(_ submission: Submission, token: Token) {
        submissionRoom -= 1
        switch submission {
        case .acceptMultishot: acceptToken = token
        case .receiveMultishot(let descriptor, into: _):
            armed[Clients.client(descriptor.rawValue)] = token
        case .send(let descriptor, bytes: _, byteCount: let count):
            sends.append(
                Sent(token: token, client: Clients.client(descriptor.rawValue), byteCount: count)
            )
        case .sendPieces(let descriptor, let pieces):
            let count = pieces.reduce(0) { $0 + $1.byteCount }
            sends.append(
                Sent(token: token, client: Clients.client(descriptor.rawValue), byteCount: count)
            )
        case .close(let descriptor):
            let client = Clients.client(descriptor.rawValue)
            hasFinished[client] = false
            clients.connect(client)
        case .pollReadable: break
        default: preconditionFailure("an echo has no use for \(submission)")
        }
    }

    mutating func enter(waitingFor completions: Int, forAtMost nanoseconds: UInt64?) -> Errno? {
        self.completions.removeAll(keepingCapacity: true)
        seen = 0
        submissionRoom = IdealRing.entries
        acceptAll()
        sendAll()
        for client in 0..<Clients.count { receive(client) }
        return nil
    }

    private mutating func acceptAll() {
        guard let acceptToken else { return }
        while let client = clients.accepted() {
            let descriptor = Clients.firstDescriptor + Int32(client)
            completions.append(Completion(token: acceptToken, result: descriptor, hasMore: true))
        }
    }

    private mutating func sendAll() {
        for sent in sends {
            completions.append(Completion(token: sent.token, result: Int32(sent.byteCount)))
            if clients.answered(sent.client, byteCount: sent.byteCount) {
                hasFinished[sent.client] = true
            }
        }
        sends.removeAll(keepingCapacity: true)
    }

    private mutating func receive(_ client: Int) {
        guard let token = armed[client] else { return }
        while clients.unreadCount(client) > 0, provided < buffers.count {
            let completion = Completion(
                token: token,
                result: Int32(Clients.messageBytes),
                bufferID: buffers[provided],
                hasMore: true
            )
            provided += 1
            clients.received(client, count: 1)
            completions.append(completion)
        }
        if hasFinished[client] {
            armed[client] = nil
            completions.append(Completion(token: token, result: 0))
        }
    }

    var hasCompletions: Bool { seen < completions.count }

    mutating func nextCompletion() -> Completion? {
        guard seen < completions.count else { return nil }
        defer { seen += 1 }
        return completions[seen]
    }

    var hasOverflowed: Bool { false }

    mutating func openGroup(_ group: BufferGroup, entries: Int) throws(SystemError) {}

    mutating func provide(_ buffer: ProvidedBuffer, to group: BufferGroup) {
        if provided == buffers.count {
            buffers.removeAll(keepingCapacity: true)
            provided = 0
        }
        buffers.append(buffer.id)
    }

    mutating func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno> {
        .failure(.tryAgain)
    }

    mutating func openSocket(
        _ family: SocketAddress.Family,
        from source: SocketAddress?
    ) -> Result<Descriptor, SystemError> {
        .failure(SystemError("socket", .notSupported))
    }

    mutating func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno? {
        nil
    }

    mutating func resetOnClose(_ descriptor: Descriptor) {}

    mutating func hasUnreadBytes(_ descriptor: Descriptor) -> Bool { false }

    mutating func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int { 0 }

    mutating func transmission(_ descriptor: Descriptor) -> Transmission? { nil }

    mutating func addresses(_ descriptor: Descriptor) -> ConnectionAddresses {
        ConnectionAddresses(peer: nil, local: nil)
    }

    func now() -> UInt64 { 1_000_000_000 }
}
