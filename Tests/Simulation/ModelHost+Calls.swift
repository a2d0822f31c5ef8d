// The socket calls of the model host as a driver on epoll makes them: each may be interrupted, may
// bring less than it could, may say once that there is nothing, and may fail.

import Engine
import Net
import URing

extension ModelHost {
    /// Time passes before a call, and the world goes on.
    func pass() {
        guard chance.happens(mischief[Mischief.meanwhile.rawValue]) else { return }
        timeline.now += chance.time(0...20_000)
        letHappen()
    }

    /// The socket of a call that may end with EINTR; nil where it does, or has no socket.
    private func begin(_ call: String, _ descriptor: Descriptor) -> Result<ModelSocket, Errno> {
        pass()
        guard let socket = openSocketForCall(call, descriptor) else {
            return .failure(.badDescriptor)
        }
        return makes(.interrupted) ? .failure(.interrupted) : .success(socket)
    }

    /// Whether a call fails that would not have to. That excuses how its connection ends.
    private func makesFail(_ socket: ModelSocket) -> Bool {
        guard makes(.callFails) else { return false }
        clients[socket.client].mayBeCut = true
        socket.mustBeReset = true
        return true
    }

    // ---- accepting ----

    /// accept4(2).
    func accept(_ listener: Descriptor) -> Int {
        pass()
        guard case .listener = holder(listener) else {
            fail("accept on a descriptor that is no listener")
            return result(.badDescriptor)
        }
        if makes(.interrupted) { return result(.interrupted) }
        // The descriptor is taken before the queue is looked at.
        if timeline.now < exhaustedUntil { return lackAtAccept(.tooManyFiles) }
        if listenerIsBroken { return result(.invalidArgument) }
        guard let socket = backlog.first else {
            poll.listenerHasLied = false
            return result(.tryAgain)
        }
        if !poll.listenerHasLied, makes(.untrueAgain) {
            poll.listenerHasLied = true
            return result(.tryAgain)
        }
        poll.listenerHasLied = false
        if makes(.acceptFails) {
            let error = chance.pick([
                Errno.connectionAborted, .protocolError, .timedOut, .noBufferSpace, .outOfMemory,
                .tooManyFiles, .tooManyFilesInSystem, .notPermitted,
            ])
            guard [.connectionAborted, .protocolError, .timedOut].contains(error) else {
                return lackAtAccept(error)
            }
            backlog.removeFirst()
            clients[socket.client].mayBeCut = true
            socket.refuse()
            return result(error)
        }
        backlog.removeFirst()
        gains += 1
        return Int(open(socket))
    }

    /// An accept fails for want of something. At a stop that is the end for all who wait.
    private func lackAtAccept(_ error: Errno) -> Int {
        if isStopRequested { for socket in backlog { clients[socket.client].mayBeCut = true } }
        return result(error)
    }

    // ---- bytes ----

    /// recv(2).
    func receive(
        _ descriptor: Descriptor,
        into bytes: UnsafeMutableRawPointer,
        byteCount capacity: Int
    ) -> Int {
        let socket: ModelSocket
        switch begin("recv", descriptor) {
        case .success(let found): socket = found
        case .failure(let error): return result(error)
        }
        // What is beyond the bytes that come is nobody's.
        bytes.initializeMemory(as: UInt8.self, repeating: 0xdb, count: capacity)
        if makesFail(socket) { return failTransfer(socket) }
        if !socket.receiveHasLied, makes(.untrueAgain) {
            socket.receiveHasLied = true
            return result(.tryAgain)
        }
        socket.receiveHasLied = false
        if socket.mark == socket.received { socket.mark = nil }
        if socket.arrived > 0 {
            var byteCount = min(socket.arrived, capacity)
            if let mark = socket.mark { byteCount = min(byteCount, mark - socket.received) }
            if byteCount > 1, makes(.shortReceive) {
                // The rest arrives after the call.
                byteCount = chance.within(1...byteCount - 1)
                socket.watch?.hasNews = true
            }
            socket.bytes.write(from: socket.received, to: bytes, byteCount: byteCount)
            socket.arrived -= byteCount
            socket.received += byteCount
            gains += 1
            return byteCount
        }
        if socket.isBroken || socket.peerHasFinished {
            gains += 1
            return socket.isBroken ? socket.takeError().map { result($0) } ?? 0 : 0
        }
        return result(.tryAgain)
    }

    /// send(2), sendmsg(2).
    func send(_ descriptor: Descriptor, _ pieces: UnsafeBufferPointer<Piece>) -> Int {
        let socket: ModelSocket
        switch begin("send", descriptor) {
        case .success(let found): socket = found
        case .failure(let error): return result(error)
        }
        if makesFail(socket) { return failTransfer(socket) }
        if socket.isBroken || socket.isWriteShut {
            gains += 1
            return result((socket.isBroken ? socket.takeError() : nil) ?? .brokenPipe)
        }
        let total = pieces.reduce(0) { $0 + $1.byteCount }
        let room = min(plan.sendQueueBytes - socket.queued, total)
        if room > 0, !socket.sendHasLied, makes(.untrueAgain) {
            socket.sendHasLied = true
            return result(.tryAgain)
        }
        socket.sendHasLied = false
        guard room > 0 else {
            socket.lacksRoom = true
            return result(.tryAgain)
        }
        // Memory may be short although the queue is not.
        let byteCount = makes(.shortSend) ? chance.within(1...room) : room
        take(byteCount, of: pieces, after: 0, socket)
        if byteCount < total { socket.lacksRoom = true }
        gains += 1
        return byteCount
    }

    /// A receive or a send fails: the connection breaks, or the host lacks something.
    private func failTransfer(_ socket: ModelSocket) -> Int {
        let error = chance.pick([
            Errno.connectionReset, .timedOut, .brokenPipe, .outOfMemory, .noBufferSpace,
            .notPermitted,
        ])
        if [.connectionReset, .timedOut, .brokenPipe].contains(error) {
            socket.breakDown(error, losesArrived: chance.happens(500))
            _ = socket.takeError()
            socket.sendReset()
        }
        return result(error)
    }

    // ---- the rest of a connection's life ----

    /// shutdown(2), SHUT_WR.
    func shutdownWriting(_ descriptor: Descriptor) -> Errno? {
        pass()
        guard let socket = openSocketForCall("shutdown", descriptor) else { return .badDescriptor }
        if socket.isBroken { return .notConnected }
        if makesFail(socket) { return .outOfMemory }
        socket.shut(.writing)
        return nil
    }

    /// SO_LINGER 0.
    func resetOnClose(_ descriptor: Descriptor) {
        pass()
        guard let socket = openSocketForCall("setsockopt", descriptor) else { return }
        socket.resetsOnClose = !makesFail(socket)
        socket.mustBeReset = false
    }

    /// close(2).
    func closeForCall(_ descriptor: Descriptor) {
        pass()
        gains += 1
        if let socket = socket(descriptor), socket.mustBeReset, !socket.isBroken {
            fail("client \(socket.client) sees a clean end though a call failed")
        }
        if !close(descriptor) {
            fail("close on descriptor \(descriptor.rawValue), which is closed")
        }
    }

    /// SIOCINQ: what there is to receive.
    func unreadByteCount(_ descriptor: Descriptor) -> Int {
        pass()
        guard let socket = openSocketForCall("ioctl", descriptor) else {
            return result(.badDescriptor)
        }
        if makes(.askFails) { return result(.outOfMemory) }
        // The kernel counts up to an urgent byte.
        return socket.mark.map { $0 - socket.received } ?? socket.arrived
    }

    /// SIOCATMARK.
    func isAtUrgentByte(_ descriptor: Descriptor) -> Bool {
        pass()
        guard let socket = openSocketForCall("ioctl", descriptor) else { return true }
        return makes(.askFails) || socket.mark == socket.received
    }

    /// recv(2), MSG_PEEK, of a byte: an urgent one is passed over.
    func peek(_ descriptor: Descriptor) -> Int {
        switch begin("recv", descriptor) {
        case .failure(let error): return result(error)
        case .success(let socket):
            if socket.arrived > 0 { return 1 }
            return socket.peerHasFinished ? 0 : result(.tryAgain)
        }
    }

    /// SIOCOUTQ: what a client has not read.
    func unacknowledgedByteCount(_ descriptor: Descriptor) -> Int {
        pass()
        guard let socket = openSocketForCall("ioctl", descriptor) else {
            return result(.badDescriptor)
        }
        return makes(.askFails) ? result(.outOfMemory) : socket.queued
    }

    /// TCP_INFO.
    func transmission(_ descriptor: Descriptor) -> Transmission? {
        pass()
        guard let socket = openSocketForCall("getsockopt", descriptor), !makes(.askFails) else {
            return nil
        }
        return Transmission(
            roundTripMicroseconds: 10,
            retransmits: 0,
            unanswered: 0,
            acknowledgedBytes: UInt64(socket.taken - socket.queued)
        )
    }

    private func result(_ error: Errno) -> Int { -Int(error.rawValue) }
}
