// Exchange: one connection of the admin endpoint: it receives one request, sends one answer, and
// ends. Each step has its deadline, and each buffer its bound, so that no client can hold more than
// its place for a few seconds.

import Net

/// A connection with its request and its answer.
struct Exchange {
    /// How long each step may take.
    static let stepNanoseconds: UInt64 = 2 * .nanosecondsPerSecond
    /// What is thrown away behind an answer at most.
    private static let discardedBytesMax = 1 << 20

    /// What is being done.
    enum Step: Equatable {
        case receiving
        /// The request is there, and a reading is asked for.
        case awaiting(Request)
        case sending
        /// Everything is sent. To close while something has not been received would send RST, and
        /// that can take the answer away from the client.
        case finishing
        case ended
    }

    let descriptor: Descriptor
    private(set) var step = Step.receiving
    /// When the step has taken too long.
    private(set) var deadline: UInt64
    private var received: [UInt8] = []
    private var answer: [UInt8] = []
    private var sentBytes = 0
    private var discardedBytes = 0

    init(_ descriptor: Descriptor, at now: UInt64) {
        self.descriptor = descriptor
        deadline = now + Exchange.stepNanoseconds
    }

    /// Goes on as far as the socket lets it.
    ///
    /// - Parameter respond: the answer to a request, or nil where it comes later.
    mutating func advance(at now: UInt64, _ respond: (Request) -> Answer?) {
        if step == .receiving { receive(at: now, respond) }
        if step == .sending { send(at: now) }
        if step == .finishing { finish() }
    }

    /// Gives the answer that a request has waited for, or that a client gets instead of one.
    mutating func send(_ answer: Answer, isHead: Bool, at now: UInt64) {
        self.answer = answer.bytes(isHead: isHead)
        received = []
        enter(.sending, at: now)
        send(at: now)
        if step == .finishing { finish() }
    }

    /// Ends it after a last word, for which nobody waits.
    mutating func dismiss(_ lastWord: Answer) {
        if step == .receiving {
            answer = lastWord.bytes(isHead: false)
            _ = sendOnce()
        }
        end()
    }

    /// Ends it.
    mutating func end() {
        guard step != .ended else { return }
        descriptor.close()
        step = .ended
    }

    private mutating func enter(_ step: Step, at now: UInt64) {
        self.step = step
        deadline = now + Exchange.stepNanoseconds
    }

    private mutating func receive(at now: UInt64, _ respond: (Request) -> Answer?) {
        while step == .receiving {
            let lookedAt = received.count
            let count = receive(atMost: Request.bytesMax - lookedAt) { received += $0 }
            guard count > 0 else {
                if count != -Int(Errno.tryAgain.rawValue) { end() }
                return
            }
            switch Request.read(received, lookedAt: lookedAt) {
            case .incomplete: continue
            case .refused(let refusal): send(.refusal(refusal), isHead: false, at: now)
            case .whole(let request):
                if let answer = respond(request) {
                    send(answer, isHead: request.isHead, at: now)
                } else {
                    enter(.awaiting(request), at: now)
                }
            }
        }
    }

    private mutating func send(at now: UInt64) {
        while sentBytes < answer.count {
            let count = sendOnce()
            guard count > 0 else {
                if count != -Int(Errno.tryAgain.rawValue) { end() }
                return
            }
            sentBytes += count
        }
        answer = []
        descriptor.shutdownWriting()
        enter(.finishing, at: now)
    }

    /// Throws away what still comes, until the client has finished too.
    private mutating func finish() {
        while discardedBytes < Exchange.discardedBytesMax {
            let count = receive(atMost: 16384) { _ in }
            guard count > 0 else {
                if count != -Int(Errno.tryAgain.rawValue) { end() }
                return
            }
            discardedBytes += count
        }
        end()
    }

    private func sendOnce() -> Int {
        answer.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sentBytes...])
            return withUnsafePointer(to: Piece(bytes: rest.baseAddress!, byteCount: rest.count)) {
                descriptor.send(UnsafeBufferPointer(start: $0, count: 1))
            }
        }
    }

    /// Receives what is there: a count, 0 at the end of the stream, or `-errno`.
    private func receive(
        atMost byteCount: Int,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Int {
        withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 1) { buffer in
            let count = descriptor.receive(into: buffer.baseAddress!, byteCount: byteCount)
            if count > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
    }
}
