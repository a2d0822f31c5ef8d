// The requests in flight on the model host's ring: how each kind is begun, goes on and ends.

import Engine
import Net
import URing

/// An operation that the kernel has taken on.
final class Request {
    enum Kind: Equatable {
        case accept
        case receive
        case send
        case poll
    }

    let token: Token
    let kind: Kind
    let isMultishot: Bool
    let socket: ModelSocket?
    let pieces: [Piece]
    /// Bytes of a send that the socket has taken.
    var done = 0
    /// The kernel does not look at it before.
    var notBefore: UInt64 = 0
    /// When it ends with ECANCELED, if nothing else ends it.
    var canceledAt: UInt64?
    var hasEnded = false

    init(
        _ token: Token,
        _ kind: Kind,
        isMultishot: Bool = false,
        socket: ModelSocket? = nil,
        pieces: [Piece] = []
    ) {
        self.token = token
        self.kind = kind
        self.isMultishot = isMultishot
        self.socket = socket
        self.pieces = pieces
        socket?.requestCount += 1
        socket?.wasTouchedElsewhere = socket?.place != .here || socket?.wasTouchedElsewhere == true
    }
}

extension ModelHost {
    func issue(_ queued: Queued) {
        let token = queued.token
        switch queued.kind {
        case .accept(let listener, let isMultishot):
            guard case .listener = holder(listener) else { return refuse(token, .badDescriptor) }
            acceptCount += 1
            let request = begin(Request(token, .accept, isMultishot: isMultishot))
            // The descriptor is taken before the queue is looked at.
            if lacksDescriptors { end(request, -Errno.tooManyFiles.rawValue) }
            if listenerIsBroken, !request.hasEnded { end(request, -Errno.invalidArgument.rawValue) }
        case .receive(let descriptor, let isMultishot):
            guard let socket = socket(descriptor) else { return refuse(token, .badDescriptor) }
            let request = begin(
                Request(token, .receive, isMultishot: isMultishot, socket: socket)
            )
            // So is the buffer: without one a receive fails at once, bytes or no bytes.
            if provided.isEmpty { end(request, -Errno.noBufferSpace.rawValue) }
        case .send(let descriptor, let pieces):
            guard let socket = socket(descriptor) else { return refuse(token, .badDescriptor) }
            begin(Request(token, .send, socket: socket, pieces: pieces))
        case .poll: begin(Request(token, .poll))
        case .cancel(let target): cancel(target, token)
        case .close(let descriptor):
            if !close(descriptor) { refuse(token, .badDescriptor) }
        case .unknown: fail("a submission that an echo has no use for")
        }
    }

    @discardableResult
    private func begin(_ request: Request) -> Request {
        requests.append(request)
        if request.kind == .accept || request.kind == .receive, makes(.canceledUnasked) {
            endLater(request)
        }
        return request
    }

    /// A submission that fails at once and was never in flight.
    private func refuse(_ token: Token, _ error: Errno) {
        post(Completion(token: token, result: -error.rawValue), ending: nil)
    }

    /// The last completion of a request.
    private func end(_ request: Request, _ result: Int32, buffer: UInt16? = nil) {
        request.hasEnded = true
        post(
            Completion(token: request.token, result: result, bufferID: buffer),
            ending: request.kind
        )
        if request.kind == .accept {
            acceptCount -= 1
            releaseListenerIfUnheld()
        }
        if let socket = request.socket {
            socket.requestCount -= 1
            socket.releaseIfUnheld()
        }
    }

    /// Asks a request to end. A completion follows only where that fails.
    private func cancel(_ target: Token, _ token: Token) {
        let found = requests.first { $0.token == target && !$0.hasEnded }
        guard let found else { return refuse(token, .notFound) }
        if let error = makes(.cancelNotFound)
            ? Errno.notFound : makes(.cancelTooLate) ? .alreadyInProgress : nil
        {
            if chance.happens(500) { endLater(found) }
            refuse(token, error)
        } else if makes(.delay) {
            endLater(found)
        } else {
            end(found, canceledResult(found))
        }
    }

    private func endLater(_ request: Request) {
        request.canceledAt = timeline.now + chance.time(0...10_000_000)
    }

    /// Whether a slot's request of a kind ends soon, is asked to, or is gone; or whether the answer
    /// has not been seen.
    func isEnding(_ kind: Request.Kind, _ slot: UInt32, _ generation: UInt32) -> Bool {
        func isOfSlot(_ token: Token) -> Bool {
            token.slot == slot && token.generation == generation
        }
        let request = requests.first { $0.kind == kind && isOfSlot($0.token) }
        guard let request, request.canceledAt == nil else { return true }
        let isAsked = queue.contains { queued in
            if case .cancel(let target) = queued.kind { target == request.token } else { false }
        }
        return isAsked
            || posted.dropFirst(firstPosted).contains { isOfSlot($0.completion.token) }
            || overflow.contains { isOfSlot($0.completion.token) }
    }

    /// A send that is cancelled has sent what it has sent.
    private func canceledResult(_ request: Request) -> Int32 {
        request.done > 0 ? Int32(request.done) : -Errno.canceled.rawValue
    }

    // ---- going on ----

    /// Lets a request do one thing; returns whether there was anything to do.
    func goOn(_ request: Request) -> Bool {
        if let moment = request.canceledAt, moment <= timeline.now {
            end(request, canceledResult(request))
            return true
        }
        switch request.kind {
        case .accept: return accept(request)
        case .receive: return receive(request, request.socket!)
        case .send: return send(request, request.socket!)
        case .poll:
            guard hasRung else { return false }
            hasRung = false
            end(request, 1)
            return true
        }
    }

    /// Whether a request that could go on is to wait a little.
    private func isHeldUp(_ request: Request) -> Bool {
        guard makes(.delay) else { return false }
        let most: UInt64 = chance.pick([1000, 100_000, 20_000_000])
        request.notBefore = timeline.now + chance.time(1...most)
        return true
    }

    /// Whether an accept fails for want of a descriptor. A registered file needs none.
    private var lacksDescriptors: Bool { timeline.now < exhaustedUntil && !plan.registersFiles }

    private func accept(_ request: Request) -> Bool {
        if listenerIsBroken {
            end(request, -Errno.invalidArgument.rawValue)
            return true
        }
        guard !backlog.isEmpty, !isHeldUp(request) else { return false }
        if lacksDescriptors {
            end(request, -Errno.tooManyFiles.rawValue)
        } else if makes(.acceptFails) {
            let error = chance.pick([
                Errno.connectionAborted, .protocolError, .noBufferSpace, .outOfMemory, .interrupted,
                .tooManyFilesInSystem,
            ])
            if error == .connectionAborted {
                let socket = backlog.removeFirst()
                clients[socket.client].mayBeCut = true
                socket.refuse()
            }
            end(request, -error.rawValue)
        } else {
            let socket = backlog.removeFirst()
            guard let number = plan.registersFiles ? register(socket) : open(socket) else {
                // The connection is lost: a full table is found too late.
                socket.release()
                end(request, -Errno.tooManyFilesInSystem.rawValue)
                return true
            }
            goOnOrEnd(request, number, buffer: nil, unless: .acceptEnds)
        }
        return true
    }

    private func goOnOrEnd(
        _ request: Request,
        _ result: Int32,
        buffer: UInt16?,
        unless kind: Mischief
    ) {
        guard request.isMultishot, mayGoOn, !makes(kind) else {
            return end(request, result, buffer: buffer)
        }
        let completion = Completion(
            token: request.token,
            result: result,
            bufferID: buffer,
            hasMore: true
        )
        post(completion, ending: nil)
    }

    private func receive(_ request: Request, _ socket: ModelSocket) -> Bool {
        if socket.arrived > 0 {
            guard !isHeldUp(request) else { return false }
            guard let buffer = takeBuffer() else {
                end(request, -Errno.noBufferSpace.rawValue)
                return true
            }
            var byteCount = min(socket.arrived, buffer.byteCount)
            if makes(.shortReceive) { byteCount = chance.within(1...byteCount) }
            socket.bytes.write(from: socket.received, to: buffer.bytes, byteCount: byteCount)
            socket.arrived -= byteCount
            socket.received += byteCount
            goOnOrEnd(request, Int32(byteCount), buffer: buffer.id, unless: .receiveEnds)
            return true
        }
        guard socket.isBroken || socket.peerHasFinished || socket.isReadShut,
            !isHeldUp(request)
        else { return false }
        let error = socket.isBroken ? socket.takeError() : nil
        end(request, -(error?.rawValue ?? 0))
        return true
    }

    private func send(_ request: Request, _ socket: ModelSocket) -> Bool {
        if socket.isBroken || socket.isWriteShut {
            guard !isHeldUp(request) else { return false }
            let error = (socket.isBroken ? socket.takeError() : nil) ?? .brokenPipe
            end(request, request.done > 0 ? Int32(request.done) : -error.rawValue)
            return true
        }
        let total = request.pieces.reduce(0) { $0 + $1.byteCount }
        let room = min(plan.sendQueueBytes - socket.queued, total - request.done)
        guard room > 0, !isHeldUp(request) else { return false }
        let byteCount = makes(.dribble) ? chance.within(1...room) : room
        take(byteCount, of: request.pieces, after: request.done, socket)
        request.done += byteCount
        if request.done == total || makes(.shortSend) { end(request, Int32(request.done)) }
        return true
    }

    /// Reads from the memory of a send, and compares it with what has to come.
    func take(
        _ byteCount: Int,
        of pieces: some Sequence<Piece>,
        after done: Int,
        _ socket: ModelSocket
    ) {
        var skipped = done
        var rest = byteCount
        for piece in pieces where rest > 0 {
            guard skipped < piece.byteCount else {
                skipped -= piece.byteCount
                continue
            }
            let count = min(rest, piece.byteCount - skipped)
            let bytes = piece.bytes + skipped
            if let place = socket.bytes.difference(
                from: socket.taken,
                in: bytes,
                byteCount: count
            ) {
                fail("client \(socket.client) is sent a wrong byte at \(place)")
            }
            socket.taken += count
            rest -= count
            skipped = 0
        }
        socket.queued += byteCount
        note(5, socket.client, byteCount)
        if socket.taken > socket.received {
            fail("client \(socket.client) is sent more than it had sent")
        }
    }
}

extension Errno {
    static let notFound = Errno(rawValue: 2)
    static let alreadyInProgress = Errno(rawValue: 114)
}
