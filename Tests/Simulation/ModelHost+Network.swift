// The network of the model host: what clients do, and how it arrives.

import Engine
import Net

extension ModelHost {
    func connect(_ client: ModelClient) {
        guard client.end == nil else { return }
        client.connectedAt = timeline.now
        guard !listenerIsReleased else {
            client.end = .refused
            return judge(client)
        }
        // Who comes after the stop may meet the listener while it closes.
        if isStopRequested || giving.hasBegun { client.mayBeCut = true }
        let socket = ModelSocket(client: client.number, bytes: client.bytes)
        client.socket = socket
        backlog.append(socket)
        news += 1
        poll.listener?.hasNews = true
        timeline.add(.act(client: client.number), at: timeline.now + chance.time(0...50_000))
    }

    /// A client reads, does its next step, and comes again later.
    func act(_ client: ModelClient) {
        guard client.end == nil, let socket = client.socket else { return }
        serveElsewhere(socket)
        let before = (client.read, client.nextStep)
        read(client, socket)
        var pause: UInt64 = 0
        if client.end == nil { pause = step(client) }
        guard client.end == nil else { return judge(client) }
        if (client.read, client.nextStep) == before {
            client.patience = min(client.patience * 2, 5_000_000)
        } else {
            client.patience = 1000
        }
        let moment = timeline.now + pause + chance.time(client.patience / 2...client.patience)
        timeline.add(.act(client: client.number), at: moment)
    }

    private func read(_ client: ModelClient, _ socket: ModelSocket) {
        if socket.hasSentReset {
            client.end = .reset
        } else if timeline.now >= client.stalledUntil {
            let byteCount = min(socket.queued, client.readAtOnce)
            socket.queued -= byteCount
            if byteCount > 0 { tellOfRoom(socket) }
            client.read += byteCount
            note(1, client.number, byteCount)
            if socket.queued == 0, socket.hasSentFin { sawFin(client, socket) }
        }
    }

    private func sawFin(_ client: ModelClient, _ socket: ModelSocket) {
        if !client.hasFinished, !isStopRequested, !client.mayBeCut {
            fail("client \(client.number) got FIN without cause")
        }
        client.end = .finished
        sendFin(client)
    }

    /// Does the next step; returns how long the client rests after it.
    private func step(_ client: ModelClient) -> UInt64 {
        guard client.nextStep < client.steps.count else {
            if isSettling { sendFin(client) }
            return 0
        }
        let step = client.steps[client.nextStep]
        client.nextStep += 1
        switch step {
        case .send(_, let byteCount):
            client.sent += byteCount
            client.inTransit += byteCount
            startArriving(client)
        case .rest(_, let time): return isSettling ? 0 : time
        case .stall(_, let time): client.stalledUntil = isSettling ? 0 : timeline.now + time
        case .drip(_, let byteCount): client.readAtOnce = isSettling ? .max : byteCount
        case .await: if client.read < client.sent { client.nextStep -= 1 }
        case .urge:
            client.urgentAt = client.sent
            startArriving(client)
        case .finish: sendFin(client)
        case .reset:
            client.end = .left
            client.inTransit = 0
            client.socket?.breakDown(.connectionReset, losesArrived: chance.happens(500))
        case .mischief, .connect, .kill, .exhaust, .breakListener, .jump, .ring, .stop, .handOver,
            .keep, .answer, .look:
            break
        }
        return 0
    }

    private func sendFin(_ client: ModelClient) {
        guard !client.hasFinished else { return }
        client.hasFinished = true
        client.finInTransit = true
        client.nextStep = client.steps.count
        startArriving(client)
    }

    private func startArriving(_ client: ModelClient) {
        guard !client.isArriving else { return }
        client.isArriving = true
        let moment = timeline.now + chance.time(1000...100_000)
        timeline.add(.arrive(client: client.number), at: moment)
    }

    /// Some of what a client has sent arrives, as far as the receive queue has room.
    func arrive(_ client: ModelClient) {
        client.isArriving = false
        guard let socket = client.socket else { return }
        if socket.isReleased || socket.isBroken {
            // Bytes for a socket that is gone are answered with RST.
            if client.inTransit > 0 { socket.sendReset() }
            client.inTransit = 0
            return
        }
        let room = min(client.inTransit, plan.receiveQueueBytes - socket.arrived)
        if room > 0 {
            let byteCount = isSettling ? room : chance.within(1...room)
            client.inTransit -= byteCount
            socket.arrived += byteCount
            news += 1
            socket.watch?.hasNews = true
            note(2, client.number, byteCount)
        }
        if let place = client.urgentAt, client.sent - client.inTransit >= place {
            client.urgentAt = nil
            // One that lies before what was received is over.
            if socket.mark == nil, socket.received <= place { socket.mark = place }
            socket.watch?.hasNews = true
        }
        if client.inTransit > 0 {
            startArriving(client)
        } else if client.finInTransit {
            client.finInTransit = false
            socket.peerHasFinished = true
            socket.watch?.hasNews = true
        }
        serveElsewhere(socket)
    }

    /// Complains about how a client's connection ended.
    func judge(_ client: ModelClient) {
        note(3, client.number, client.read)
        if let complaint = client.complaint { fail("client \(client.number) \(complaint)") }
    }
}
