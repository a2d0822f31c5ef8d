// ModelHost: the machine that the worker believes it runs on. Here is what is not the ring: the
// clock, descriptors, the listener, what befalls the host, and the network to the clients.

@_spi(Simulation) import Engine
import Net
import URing

/// A host with one listener and some clients.
final class ModelHost {
    /// What a descriptor names.
    enum Holder {
        case listener
        case socket(ModelSocket)
    }

    private static let troubleNanoseconds: UInt64 = 400 * .nanosecondsPerMillisecond
    private static let settlingNanoseconds: UInt64 = 100 * .nanosecondsPerSecond

    let plan: Plan
    let control: StepControl
    var chance: Chance
    var timeline = Timeline()
    var clients: [ModelClient] = []
    /// How often in a thousand each kind of trouble is made.
    var mischief = [Int](repeating: 0, count: Mischief.allCases.count)
    /// The first thing that went wrong.
    private(set) var failure: String?

    // ---- descriptors and the listener ----

    // Numbers that the real kernel never gives out: a call that goes past the ring fails.
    static let firstDescriptor: Int32 = 1_000_000_000
    var descriptors: [Holder?] = [.listener]
    /// The ring's table of registered files.
    var files: [ModelSocket?]
    var backlog: [ModelSocket] = []
    var acceptCount = 0
    var listenerIsReleased = false
    var exhaustedUntil: UInt64 = 0
    var listenerIsBroken = false

    // ---- the service's life ----

    var isStopRequested = false
    private(set) var stoppedAt: UInt64 = 0
    /// What becomes of connections that the service offers to another process.
    var giving: ModelGiving
    var hasRung = false
    /// Trouble is over, and everybody finishes.
    var isSettling = false
    /// When trouble ends, then by when everybody has to have finished. No wait goes beyond.
    var phaseEndsAt: UInt64

    // ---- the ring ----

    var queue: [Queued] = []
    var requests: [Request] = []
    var posted: [Posted] = []
    var firstPosted = 0
    var overflow: [Posted] = []
    var staged: [ProvidedBuffer] = []
    var provided: [ProvidedBuffer] = []
    var isProvided: [Bool]
    var groupEntries = 0
    /// What came of enters: those that brought nothing in a row, and those that waited for what
    /// can never come.
    var enters = 0
    var gains = 0
    /// What clients did that a worker may be woken for: connects, and bytes that arrived.
    var news = 0
    var vainEnters = 0
    var deadlocks = 0
    // ---- epoll ----

    var poll = ModelPoll()

    /// What has happened, for the comparison of two runs.
    var trace: UInt64 = 0

    init(plan: Plan, control: StepControl) {
        self.plan = plan
        self.control = control
        phaseEndsAt = timeline.now + ModelHost.troubleNanoseconds
        chance = Chance(seed: Chance.mix(plan.seed))
        giving = ModelGiving(seed: plan.seed)
        files = Array(repeating: nil, count: plan.fileCount)
        isProvided = Array(repeating: false, count: plan.limits.bufferCount)
        clients = (0..<plan.clientCount).map { number in
            let steps = plan.operations.filter { $0.stepper == number }
            return ModelClient(number: number, seed: plan.seed, steps: steps)
        }
        let connecting = Set(
            plan.operations.compactMap { operation -> Int? in
                if case .connect(let client, _) = operation { client } else { nil }
            }
        )
        for client in clients { client.mayBeCut = plan.mayCut }
        for client in clients where !connecting.contains(client.number) { client.end = .left }
        for operation in plan.operations { schedule(operation) }
    }

    private func schedule(_ operation: Operation) {
        let start = timeline.now
        switch operation {
        case .mischief(let kind, let perMille): mischief[kind.rawValue] = perMille
        case .connect(_, let at), .kill(_, let at), .exhaust(let at, _), .jump(let at, _),
            .breakListener(let at), .ring(let at), .stop(let at), .handOver(let at), .keep(let at):
            timeline.add(.befall(operation), at: start + at)
        case .send, .rest, .stall, .drip, .await, .urge, .finish, .reset, .answer, .look: break
        }
    }

    /// Notes that something went wrong; only the first is kept.
    func fail(_ what: String) {
        failure = failure ?? what
    }

    /// Whether trouble of a kind is made now.
    func makes(_ kind: Mischief) -> Bool {
        guard chance.happens(mischief[kind.rawValue]) else { return false }
        gains += 1
        return true
    }

    func note(_ values: Int...) {
        for value in values { trace = Chance.mix(trace ^ UInt64(bitPattern: Int64(value))) }
    }

    // ---- what happens ----

    /// Lets everything happen whose moment has come.
    func letHappen() {
        while let happening = timeline.popDue() {
            switch happening {
            case .act(let number): act(clients[number])
            case .arrive(let number): arrive(clients[number])
            case .befall(let operation): befall(operation)
            }
        }
    }

    private func befall(_ operation: Operation) {
        guard !isSettling || operation.isPartOfTheEnd else { return }
        switch operation {
        case .connect(let number, _): connect(clients[number])
        case .kill(let number, _):
            guard let socket = clients[number].socket, !socket.isReleased else { return }
            clients[number].mayBeCut = true
            socket.breakDown(.connectionAborted, losesArrived: chance.happens(500))
            socket.sendReset()
        case .exhaust(_, let time): exhaustedUntil = timeline.now + time
        case .breakListener:
            listenerIsBroken = true
            poll.listener?.hasNews = true
            for client in clients where !client.isIn { client.mayBeCut = true }
        case .jump(_, let time): timeline.now += time
        case .ring:
            control.ring()
            hasRung = true
        case .stop: requestStop()
        case .handOver: requestHandOver()
        case .keep: requestKeep()
        case .answer: judgeOffer()
        case .look: requestLook()
        case .mischief, .send, .rest, .stall, .drip, .await, .urge, .finish, .reset: break
        }
    }

    /// Asks the service to stop, as another thread would.
    func requestStop() {
        guard !isStopRequested else { return }
        requestKeep()
        isStopRequested = true
        stoppedAt = timeline.now
        for client in clients {
            let socket = client.socket
            client.arrivedAtStop = socket.map { $0.received + $0.arrived } ?? 0
            // Who waits for a full table is turned away.
            let isFull = clients.count > plan.limits.connectionsMax
            if isFull, !client.isIn { client.mayBeCut = true }
        }
        control.requestStop(pacedBy: pace)
        hasRung = true
    }

    private var pace: DrainPace? {
        guard plan.drainsPerSecond > 0 else { return nil }
        return DrainPace(
            perSecond: plan.drainsPerSecond,
            seed: plan.seed,
            now: timeline.now
        )
    }

    /// No more trouble: from here on everything has to come to its end.
    func settle() {
        isSettling = true
        phaseEndsAt = timeline.now + ModelHost.settlingNanoseconds
        for kind in mischief.indices { mischief[kind] = 0 }
        exhaustedUntil = 0
        for client in clients {
            client.stalledUntil = 0
            client.readAtOnce = .max
            client.patience = 1000
            // Nobody will ever let them in.
            if listenerIsBroken, !client.isIn { client.end = .left }
        }
    }

    /// Goes on without the worker until no client has anything left to see.
    func letClientsEnd() {
        let deadline = timeline.now + 100 * .nanosecondsPerSecond
        while let next = timeline.next, next < deadline, clients.contains(where: { $0.end == nil })
        {
            timeline.now = max(timeline.now, next)
            letHappen()
        }
    }

    // ---- descriptors ----

    /// Gives out the lowest number that is free, as the kernel does.
    func open(_ socket: ModelSocket) -> Int32 {
        socket.isOpen = true
        socket.wasAccepted = true
        let place = descriptors.firstIndex { $0 == nil } ?? descriptors.count
        if place == descriptors.count { descriptors.append(nil) }
        descriptors[place] = .socket(socket)
        return ModelHost.firstDescriptor + Int32(place)
    }

    /// Puts a socket into the ring's table, or returns nil where that is full.
    func register(_ socket: ModelSocket) -> Int32? {
        guard let slot = files.firstIndex(where: { $0 == nil }) else { return nil }
        socket.isOpen = true
        socket.wasAccepted = true
        files[slot] = socket
        return Int32(slot)
    }

    func holder(_ descriptor: Descriptor) -> Holder? {
        if descriptor.isRegistered {
            let slot = Int(descriptor.slot)
            return files.indices.contains(slot) ? files[slot].map { .socket($0) } : nil
        }
        let place = Int(descriptor.rawValue) - Int(ModelHost.firstDescriptor)
        return descriptors.indices.contains(place) ? descriptors[place] : nil
    }

    func socket(_ descriptor: Descriptor) -> ModelSocket? {
        guard case .socket(let socket) = holder(descriptor) else { return nil }
        return socket
    }

    /// close(2): the number is free at once; what it named lives on while requests hold it.
    func close(_ descriptor: Descriptor) -> Bool {
        guard let holder = holder(descriptor) else { return false }
        if descriptor.isRegistered {
            files[Int(descriptor.slot)] = nil
        } else {
            descriptors[Int(descriptor.rawValue - ModelHost.firstDescriptor)] = nil
        }
        switch holder {
        case .listener: releaseListenerIfUnheld()
        case .socket(let socket):
            socket.isOpen = false
            if socket.place == .elsewhere, socket.watch != nil {
                fail("client \(socket.client) has gone, and is still watched")
            }
            socket.releaseIfUnheld()
        }
        return true
    }

    /// Whoever waits in the queue of a listener that goes is reset.
    func releaseListenerIfUnheld() {
        if case .listener = descriptors[0] { return }
        guard acceptCount == 0 else { return }
        listenerIsReleased = true
        for socket in backlog { socket.refuse() }
        backlog = []
    }
}

extension Operation {
    /// Whether it happens also when there is no more trouble.
    var isPartOfTheEnd: Bool {
        switch self {
        case .connect, .answer, .look: true
        default: false
        }
    }
}
