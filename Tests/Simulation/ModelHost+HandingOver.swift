// Another process, to which the service's connections go: it takes some of what is offered, sooner
// or later, and echoes what arrives from then on. A client is to see no difference.

@_spi(Simulation) import Engine
import Net

/// What another process has been offered, and what it makes of it.
struct ModelGiving {
    /// Whether the service was asked to give.
    var hasBegun = false
    /// Whether it was asked to keep the rest.
    var hasEnded = false
    /// What is on offer, with what had been received of each.
    var offer: [(socket: ModelSocket, received: Int)] = []
    /// A chance of its own: runs without it are the same as ever.
    var chance: Chance

    init(seed: UInt64) { chance = Chance(seed: Chance.mix(seed ^ 0x91fe)) }
}

extension ModelHost {
    func requestHandOver() {
        guard !isStopRequested, !giving.hasBegun else { return }
        giving.hasBegun = true
        // The listener closes.
        for client in clients where !client.isIn { client.mayBeCut = true }
        control.requestHandOver()
        hasRung = true
    }

    /// Asks the service to keep what it has, once the last offer has been answered.
    func requestKeep() {
        guard giving.hasBegun, !giving.hasEnded else { return }
        if let offer = control.takeOffer() { note(offer) }
        judgeOffer()
        giving.hasEnded = true
        control.requestKeep()
        hasRung = true
    }

    func requestLook() {
        guard giving.hasBegun, !giving.hasEnded else { return }
        control.requestLook()
        hasRung = true
    }

    /// Looks at what the worker has left, between two turns.
    func attendDesk() {
        guard giving.hasBegun, !giving.hasEnded else { return }
        if let offer = control.takeOffer() { note(offer) }
        if control.takeNothing() {
            timeline.add(.befall(.look), at: timeline.now + 5 * .nanosecondsPerMillisecond)
        }
    }

    /// Everything that was received has to have been sent, and nothing may be in flight.
    private func note(_ offer: [Descriptor]) {
        for descriptor in offer {
            guard let socket = socket(descriptor) else {
                fail("descriptor \(descriptor.rawValue) is offered, and is closed")
                continue
            }
            if socket.requestCount > 0 {
                fail("client \(socket.client) is offered with something in flight")
            }
            if socket.received != socket.taken, !socket.isBroken {
                fail("client \(socket.client) is offered with bytes of its own here")
            }
            socket.place = .offered
            giving.offer.append((socket, socket.received))
        }
        let moment = timeline.now + giving.chance.time(0...giving.chance.pick([1000, 20_000_000]))
        timeline.add(.befall(.answer), at: moment)
    }

    func judgeOffer() {
        guard !giving.offer.isEmpty else { return }
        let taken = giving.offer.map { _ in giving.chance.happens(800) }
        for ((socket, received), isTaken) in zip(giving.offer, taken) {
            if socket.received != received || socket.wasTouchedElsewhere {
                fail("client \(socket.client) was touched while it was on offer")
            }
            socket.place = isTaken ? .elsewhere : .here
        }
        giving.offer = []
        control.judge(taken)
        hasRung = true
    }

    /// The other process echoes what has arrived, and answers FIN with FIN.
    func serveElsewhere(_ socket: ModelSocket) {
        guard socket.place == .elsewhere, !socket.isOpen, !socket.isBroken, !socket.isReleased
        else { return }
        socket.mark = nil
        let byteCount = min(socket.arrived, plan.sendQueueBytes - socket.queued)
        socket.arrived -= byteCount
        socket.received += byteCount
        socket.queued += byteCount
        socket.taken += byteCount
        if socket.arrived == 0, socket.peerHasFinished { socket.release() }
    }
}
