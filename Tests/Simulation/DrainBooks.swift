// DrainBooks: what has to be true of a stop at a pace. No more are let go than the pace allows, and
// nobody gets FIN before that. What a test wants to know of the order is noted with the clients.

@_spi(Simulation) import Engine
import Net

/// The checks of a stop in one run.
struct DrainBooks {
    private let plan: Plan
    /// For each slot, the generation that was let go last.
    private var letGo: [UInt32?] = []
    private var count = 0
    /// For each client, the bytes that had moved when last looked at.
    private var moved: [Int]

    init(_ plan: Plan) {
        self.plan = plan
        moved = Array(repeating: -1, count: plan.clientCount)
    }

    /// Begins with the connections of a turn.
    mutating func begin(_ host: ModelHost, slotCount: Int) {
        while letGo.count < slotCount { letGo.append(nil) }
    }

    mutating func check(
        _ connection: SteppedConnection,
        in slot: UInt32,
        _ host: ModelHost
    ) {
        guard let socket = host.socket(connection.descriptor) else { return }
        let client = host.clients[socket.client]
        if moved[client.number] != socket.received + socket.taken {
            moved[client.number] = socket.received + socket.taken
            client.movedAt = host.timeline.now
        }
        if socket.hasSentFin, client.finAt == nil { client.finAt = host.timeline.now }
        if connection.isLeaving, letGo[Int(slot)] != connection.generation {
            letGo[Int(slot)] = connection.generation
            count += 1
        }
        let isOwnEnd = socket.peerHasFinished || connection.isAborting || plan.mayCut
        if plan.drainsPerSecond > 0, socket.hasSentFin, !connection.isLeaving, !isOwnEnd {
            host.fail("client \(client.number) got FIN before its turn")
        }
    }

    mutating func end(_ host: ModelHost) {
        guard count > 0, plan.drainsPerSecond > 0 else { return }
        let passed = host.timeline.now - host.stoppedAt
        guard passed < plan.policy.pacedDrainNanoseconds else { return }
        let most = 1 + UInt64(plan.drainsPerSecond) * passed / .nanosecondsPerSecond
        if count > most { host.fail("\(count) were let go where \(most) may be") }
    }
}
