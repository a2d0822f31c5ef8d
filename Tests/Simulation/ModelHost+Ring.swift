// The ring of the model host: submissions, enters and completions. It keeps to the kernel's rules
// and to nothing beyond them: order holds within an operation only, and whatever may be late is.

import Engine
import Net
import URing

/// A submission that waits for the next enter.
struct Queued {
    enum Kind {
        case accept(Descriptor, isMultishot: Bool)
        case receive(Descriptor, isMultishot: Bool)
        case send(Descriptor, [Piece])
        case poll
        case cancel(Token)
        case close(Descriptor)
        case unknown
    }

    let kind: Kind
    let token: Token

    init(_ submission: Submission, _ token: Token) {
        self.token = token
        switch submission {
        case .acceptMultishot(let listener): kind = .accept(listener, isMultishot: true)
        case .accept(let listener): kind = .accept(listener, isMultishot: false)
        case .receiveMultishot(let descriptor, _): kind = .receive(descriptor, isMultishot: true)
        case .receive(let descriptor, _): kind = .receive(descriptor, isMultishot: false)
        case .send(let descriptor, let bytes, let byteCount):
            kind = .send(descriptor, [Piece(bytes: bytes, byteCount: byteCount)])
        case .sendPieces(let descriptor, let pieces): kind = .send(descriptor, Array(pieces))
        case .pollReadable: kind = .poll
        case .cancel(let target): kind = .cancel(target)
        case .close(let descriptor): kind = .close(descriptor)
        case .connect, .pollWritable: kind = .unknown
        }
    }
}

/// A completion that has not been seen.
struct Posted {
    let completion: Completion
    /// Of which kind of request it is the last; nil where that goes on, or was none.
    let ended: Request.Kind?
}

extension ModelHost {
    var hasCompletions: Bool { firstPosted < posted.count }

    func nextCompletion() -> Completion? {
        guard firstPosted < posted.count else { return nil }
        firstPosted += 1
        return posted[firstPosted - 1].completion
    }

    private var hasRoomForCompletion: Bool {
        overflow.isEmpty && posted.count - firstPosted < plan.limits.completionEntries
    }

    /// Whether a multishot operation may post and go on: it never overflows the queue.
    var mayGoOn: Bool {
        overflow.isEmpty && posted.count - firstPosted + 1 < plan.limits.completionEntries
    }

    func post(_ completion: Completion, ending kind: Request.Kind?) {
        note(4, Int(truncatingIfNeeded: completion.token.rawValue), Int(completion.result))
        if completion.result >= 0 { gains += 1 }
        let entry = Posted(completion: completion, ended: kind)
        if hasRoomForCompletion { posted.append(entry) } else { overflow.append(entry) }
    }

    func enter(waitingFor wanted: Int, forAtMost nanoseconds: UInt64?) -> Errno? {
        enters += 1
        let before = (gains, timeline.now)
        let deadline = nanoseconds.map { timeline.now + $0 }
        timeline.now += chance.time(500...5000)
        posted.removeFirst(firstPosted)
        firstPosted = 0
        publish()
        letHappen()
        let error = submit()
        let flushed = min(
            overflow.count,
            max(0, plan.limits.completionEntries - posted.count)
        )
        posted += overflow.prefix(flushed)
        overflow.removeFirst(flushed)
        let isWaiting = error == nil && queue.isEmpty && wanted > 0
        work()
        if isWaiting {
            sleep(until: deadline, nextMoment: { self.nextMoment }, then: work) {
                self.posted.isEmpty && self.failure == nil && !self.makes(.wakesEarly)
            }
        }
        vainEnters = before.0 == gains && timeline.now < before.1 + 10_000 ? vainEnters + 1 : 0
        return error
    }

    /// Hands over what is queued; returns why not all of it, where that is an error.
    private func submit() -> Errno? {
        var count = queue.count
        var error = plan.start.enterErrors.dropFirst(enters - 1).first
        if error == nil, makes(.enterFails) {
            error = chance.pick([.interrupted, .busy, .tryAgain, .outOfMemory])
        }
        if error != nil {
            count = error == .interrupted ? chance.within(0...count) : 0
        } else if count > 0, makes(.submitsLess) {
            count = chance.below(count)
        }
        let batch = queue.prefix(count)
        queue.removeFirst(count)
        for queued in batch { issue(queued) }
        return error
    }

    /// Sleeps until there is no cause any more, or the deadline has passed.
    func sleep(
        until deadline: UInt64?,
        nextMoment: () -> UInt64?,
        then work: () -> Void,
        while isCaused: () -> Bool
    ) {
        while isCaused() {
            let next = nextMoment()
            // Neither anything that happens nor the deadline is of this phase.
            if next != nil || deadline != nil, min(next ?? .max, deadline ?? .max) > phaseEndsAt {
                timeline.now = max(timeline.now, phaseEndsAt + 1)
                return
            }
            guard let next, deadline.map({ next <= $0 }) ?? true else {
                if let deadline {
                    timeline.now = max(timeline.now, deadline + chance.time(0...50_000))
                } else {
                    deadlocks += 1
                }
                return
            }
            timeline.now = max(timeline.now, next)
            letHappen()
            work()
        }
    }

    /// When something will happen next, or nil.
    private var nextMoment: UInt64? {
        var earliest = timeline.next
        for request in requests {
            for moment in [request.notBefore, request.canceledAt ?? 0] where moment > timeline.now {
                earliest = min(earliest ?? moment, moment)
            }
        }
        return earliest
    }

    /// Lets the requests in flight go on, in any order, until nothing moves or, at times, before.
    func work() {
        var moves = true
        while moves {
            moves = false
            let start = requests.isEmpty ? 0 : chance.below(requests.count)
            for index in requests.indices {
                let request = requests[(index + start) % requests.count]
                guard !request.hasEnded, request.notBefore <= timeline.now else { continue }
                if goOn(request) { moves = true }
            }
            requests.removeAll { $0.hasEnded }
            if !posted.isEmpty, makes(.delay) { return }
        }
    }

    // ---- buffers ----

    /// Buffers become the kernel's: it may write to them whenever it likes, and does.
    private func publish() {
        for buffer in staged {
            if isProvided[Int(buffer.id)] { fail("buffer \(buffer.id) was provided twice") }
            isProvided[Int(buffer.id)] = true
            buffer.bytes.initializeMemory(as: UInt8.self, repeating: 0xdb, count: buffer.byteCount)
            provided.append(buffer)
        }
        staged = []
        if provided.count > groupEntries { fail("the buffer ring is too full") }
    }

    func takeBuffer() -> ProvidedBuffer? {
        guard !provided.isEmpty else { return nil }
        let buffer = provided.removeFirst()
        isProvided[Int(buffer.id)] = false
        return buffer
    }

    // ---- calls beside the ring ----

    /// The socket of a system call.
    func socketForCall(_ call: String, _ descriptor: Descriptor) -> ModelSocket? {
        if descriptor.isRegistered, makes(.installFails) { return nil }
        return openSocketForCall(call, descriptor)
    }

    /// The socket of a call that needs no descriptor of the process.
    func openSocketForCall(_ call: String, _ descriptor: Descriptor) -> ModelSocket? {
        let socket = socket(descriptor)
        if socket == nil { fail("\(call) on descriptor \(descriptor.rawValue), which is closed") }
        if let socket, socket.place != .here {
            fail("\(call) on client \(socket.client), which another process may have")
        }
        return socket
    }

    func acceptQueued(_ listener: Descriptor) -> Result<Descriptor, Errno> {
        guard case .listener = holder(listener) else {
            fail("accept on a descriptor that is no listener")
            return .failure(.badDescriptor)
        }
        if timeline.now < exhaustedUntil {
            for socket in backlog { clients[socket.client].mayBeCut = true }
            return .failure(.tooManyFiles)
        }
        if listenerIsBroken { return .failure(.invalidArgument) }
        guard !backlog.isEmpty else { return .failure(.tryAgain) }
        let socket = backlog.removeFirst()
        if makes(.acceptFails) {
            clients[socket.client].mayBeCut = true
            socket.refuse()
            return .failure(.connectionAborted)
        }
        return .success(Descriptor(rawValue: open(socket)))
    }
}
