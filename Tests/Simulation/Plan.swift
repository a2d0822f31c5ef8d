// Plan: what a seed stands for. The sizes of everything, the faults that are on, and a list of
// operations: what each client does, and what befalls the host. Shrinking leaves operations out.

package import Engine
import Net

/// A way in which the model kernel makes trouble.
package enum Mischief: Int, CaseIterable, Sendable {
    /// Completions come later than they could.
    case delay
    /// A send takes less at a time than there is room for.
    case dribble
    /// A send ends before everything was taken.
    case shortSend
    /// A receive brings less than has arrived.
    case shortReceive
    /// A multishot receive ends after a good completion.
    case receiveEnds
    /// A multishot accept ends after a good completion.
    case acceptEnds
    /// A receive or an accept ends with ECANCELED though nobody asked.
    case canceledUnasked
    /// A cancellation does not find the operation: it may end all the same, or go on.
    case cancelNotFound
    /// A cancellation finds the operation at work: it may end, or go on.
    case cancelTooLate
    /// An enter fails: EINTR, EBUSY, EAGAIN, ENOMEM.
    case enterFails
    /// An enter takes only some of the submissions.
    case submitsLess
    /// A connection breaks before it is accepted.
    case acceptFails
    /// An enter's wait ends for nothing.
    case wakesEarly
    /// A registered file cannot be made a descriptor for a system call, which is then not made.
    case installFails

    // Of epoll alone, from here on.

    /// A call ends with EINTR.
    case interrupted
    /// A call says EAGAIN though that is not so. Asked again, it says the truth.
    case untrueAgain
    /// A call on a connection fails.
    case callFails
    /// Nothing can be found out about a socket (ioctl, getsockopt).
    case askFails
    /// A descriptor cannot be watched.
    case watchFails
    /// An event is reported without cause.
    case spurious
    /// A wait brings fewer events than there are.
    case fewEvents
    /// Something happens between two calls.
    case meanwhile

    /// Whether a kernel interface can make it.
    func concerns(_ backend: Backend) -> Bool {
        switch self {
        case .delay, .shortSend, .shortReceive, .acceptFails, .wakesEarly: true
        case .dribble, .receiveEnds, .acceptEnds, .canceledUnasked, .cancelNotFound,
            .cancelTooLate, .enterFails, .submitsLess, .installFails:
            backend == .uring
        case .interrupted, .untrueAgain, .callFails, .askFails, .watchFails, .spurious,
            .fewEvents, .meanwhile:
            backend == .epoll
        }
    }
}

/// A step of a client, or something that befalls the host.
package enum Operation: Equatable, Sendable {
    /// Trouble of a kind, so many times in a thousand.
    case mischief(Mischief, perMille: Int)
    /// A client connects.
    case connect(client: Int, at: UInt64)
    /// It sends so many bytes.
    case send(client: Int, byteCount: Int)
    /// It does nothing for a while, but reads.
    case rest(client: Int, nanoseconds: UInt64)
    /// It does not read for a while.
    case stall(client: Int, nanoseconds: UInt64)
    /// It reads so many bytes at a time from now on.
    case drip(client: Int, byteCount: Int)
    /// It waits until everything that it sent has come back.
    case await(client: Int)
    /// It sends an urgent byte, which does not belong to its stream.
    case urge(client: Int)
    /// It sends FIN.
    case finish(client: Int)
    /// It sends RST.
    case reset(client: Int)
    /// Its connection is cut by the host (as by `ss -K`).
    case kill(client: Int, at: UInt64)
    /// The host has no descriptors left for a while.
    case exhaust(at: UInt64, nanoseconds: UInt64)
    /// The listener breaks for good: every accept fails with EINVAL.
    case breakListener(at: UInt64)
    /// The clock jumps forward.
    case jump(at: UInt64, nanoseconds: UInt64)
    /// The doorbell rings for nothing.
    case ring(at: UInt64)
    /// The service is asked to stop.
    case stop(at: UInt64)
    /// The service is asked to offer its connections to another process.
    case handOver(at: UInt64)
    /// It is asked to keep the rest.
    case keep(at: UInt64)
    /// It hears what becomes of an offer, or is asked to look again at what it has. Both follow
    /// from the rest, and are in no plan.
    case answer
    case look

    /// The client whose step it is, where the order of steps is what counts.
    var stepper: Int? {
        switch self {
        case .send(let client, _), .rest(let client, _), .stall(let client, _),
            .drip(let client, _), .await(let client), .urge(let client), .finish(let client),
            .reset(let client):
            client
        default: nil
        }
    }
}

/// Everything about a run but the chance within it.
package struct Plan: Sendable {
    /// What it was made from.
    package let seed: UInt64
    /// The kernel interface that is played.
    package let backend: Backend
    /// Events that a wait of epoll brings at most.
    var eventsMax = 512
    var limits = Limits(connectionsMax: 16)
    var usesMultishot = true
    var registersFiles = false
    var policy = Plan.patient
    var start = StartTrouble()
    /// Connections that a stop lets go in a second; 0 lets all go at once.
    package private(set) var drainsPerSecond = 0
    /// What a socket of the host holds in either direction.
    var receiveQueueBytes = 4096
    var sendQueueBytes = 4096
    /// How many clients there are at most.
    var clientCount = 0
    /// The operations of the seed, in order.
    package private(set) var operations: [Operation] = []

    /// No timeout, and all the time that it takes to stop.
    private static let patient: ConnectionPolicy = {
        var policy = ConnectionPolicy()
        policy.halfCloseNanoseconds = 0
        policy.writeNanoseconds = 0
        policy.drainNanoseconds = 1 << 60
        return policy
    }()

    /// Whether the service may cut a client for its own reasons.
    var mayCut: Bool { policy != Plan.patient }

    /// A plan of one's own making, for few clients.
    package init(
        seed: UInt64,
        backend: Backend = .uring,
        clientCount: Int,
        operations: [Operation]
    ) {
        self.seed = seed
        self.backend = backend
        self.clientCount = clientCount
        self.operations = operations
    }

    /// The plan of a seed. Both backends have the same sizes and clients; what only epoll has comes
    /// from a chance of its own, so the seeds of io_uring do not depend on it.
    package init(seed: UInt64, backend: Backend = .uring) {
        self.seed = seed
        self.backend = backend
        var chance = Chance(seed: seed)
        chooseSizes(&chance)
        for mischief in Mischief.allCases
        where mischief.rawValue <= Mischief.installFails.rawValue && chance.happens(500) {
            let perMille = chance.size(upTo: 600)
            guard mischief.concerns(backend) else { continue }
            operations.append(.mischief(mischief, perMille: perMille))
        }
        clientCount = chance.size(upTo: 24)
        for client in 0..<clientCount { addClient(client, &chance) }
        addTroubles(&chance)
        addHandingOver()
        start = StartTrouble(seed: seed)
        var pacing = Chance(seed: Chance.mix(seed ^ 0xd7))
        if pacing.happens(400) { drainsPerSecond = pacing.pick([1, 10, 100, 1000, 100_000]) }
        if backend == .epoll { addTroublesOfCalls() }
    }

    /// The sizes in one line.
    package var sizes: String {
        "connections \(limits.connectionsMax), buffers \(limits.bufferCount) x "
            + "\(limits.bufferBytes), pending \(limits.pendingBytesMax), queues "
            + "\(limits.submissionEntries) and \(limits.completionEntries), sockets "
            + "\(receiveQueueBytes) and \(sendQueueBytes), "
            + (backend == .epoll
                ? "events \(eventsMax)"
                : "multishot \(usesMultishot), registered files \(registersFiles)")
            + start.description
            + (drainsPerSecond > 0 ? ", \(drainsPerSecond) let go a second" : "")
            + (mayCut ? ", \(policy)" : "")
    }

    /// The same without the operations at some places of the list.
    package func dropping(_ dropped: Set<Int>) -> Plan {
        var plan = self
        plan.operations = operations.enumerated().filter { !dropped.contains($0.offset) }
            .map(\.element)
        return plan
    }

    /// Small sockets and pieces, a low cap, and buffers enough to go far beyond it.
    package mutating func makeTight() {
        limits.bufferCount = 512
        limits.bufferBytes = 16
        limits.pendingBytesMax = 16
        limits.submissionEntries = 8
        limits.completionEntries = 8
        receiveQueueBytes = 10
        sendQueueBytes = 1
    }

    /// A stop lets so many go in a second, of clients for all of whom there is room.
    ///
    /// - Parameter nanoseconds: how long it may take in all; nil for any time.
    package mutating func paceDrain(perSecond: Int, withinNanoseconds nanoseconds: UInt64? = nil) {
        drainsPerSecond = perSecond
        limits.connectionsMax = max(limits.connectionsMax, clientCount)
        // Each turn every buffer is looked at.
        limits.bufferCount = 128
        if let nanoseconds { policy.drainNanoseconds = nanoseconds }
    }

    /// Connections are registered files.
    package mutating func registerFiles() { registersFiles = true }

    private mutating func chooseSizes(_ chance: inout Chance) {
        limits.connectionsMax = chance.pick([1, 2, 3, 8, 16, 4200])
        limits.bufferCount = chance.pick([2, 4, 8, 32, 128, 512])
        limits.bufferBytes = chance.pick([1, 7, 16, 64, 512, 4096])
        limits.pendingBytesMax = chance.pick([1, 16, 100, 1000, 10_000])
        limits.submissionEntries = chance.pick([4, 8, 64])
        let factor = chance.pick([1, 2, 64])
        limits.completionEntries = limits.submissionEntries * factor
        usesMultishot = !chance.happens(200)
        registersFiles = chance.happens(250)
        if chance.happens(100) { chooseTimeouts(&chance) }
        receiveQueueBytes = chance.pick([1, 10, 300, 5000, 50_000])
        sendQueueBytes = chance.pick([1, 10, 300, 5000, 50_000])
    }

    private mutating func chooseTimeouts(_ chance: inout Chance) {
        let times: [UInt64] = [0, 5, 30, 100].map { $0 * .nanosecondsPerMillisecond }
        policy.idleNanoseconds = chance.pick(times)
        policy.halfCloseNanoseconds = chance.pick(times)
        policy.writeNanoseconds = chance.pick(times)
        policy.graceNanoseconds = chance.pick(times)
        if chance.happens(500) { policy.drainNanoseconds = chance.pick(times) }
    }

    /// Bytes of one send: few where each costs a turn of its own.
    private var sendBytesMax: Int {
        let smallest = min(limits.bufferBytes, receiveQueueBytes, sendQueueBytes)
        return min(20_000, max(20, smallest * 40))
    }

    private mutating func addClient(_ client: Int, _ chance: inout Chance) {
        let spread: UInt64 = chance.pick([1000, 1_000_000, 50_000_000])
        operations.append(.connect(client: client, at: chance.time(0...spread)))
        if chance.happens(200) {
            let byteCount = chance.size(upTo: max(1, sendBytesMax / 10))
            operations.append(.drip(client: client, byteCount: byteCount))
        }
        for _ in 0..<chance.within(0...16) {
            switch chance.below(10) {
            case 0: operations.append(.await(client: client))
            case 1, 2:
                let time = chance.time(1000...chance.pick([10_000, 1_000_000, 100_000_000]))
                operations.append(.rest(client: client, nanoseconds: time))
            case 3:
                let time = chance.time(10_000...chance.pick([1_000_000, 200_000_000]))
                operations.append(.stall(client: client, nanoseconds: time))
            default:
                let byteCount = chance.size(upTo: sendBytesMax)
                operations.append(.send(client: client, byteCount: byteCount))
            }
        }
        switch chance.below(8) {
        case 0: operations.append(.reset(client: client))
        case 1: break
        case 2, 3:
            operations.append(.await(client: client))
            operations.append(.finish(client: client))
        default: operations.append(.finish(client: client))
        }
    }

    private mutating func addTroublesOfCalls() {
        var chance = Chance(seed: Chance.mix(seed ^ 0xe9))
        registersFiles = false
        eventsMax = chance.pick([1, 2, 5, 512])
        for mischief in Mischief.allCases
        where mischief.rawValue > Mischief.installFails.rawValue && chance.happens(400) {
            // What breaks a connection is seldom, or hardly any would come to its end.
            let most = [.callFails, .watchFails].contains(mischief) ? 60 : 600
            operations.append(.mischief(mischief, perMille: chance.size(upTo: most)))
        }
        guard clientCount > 0, chance.happens(200) else { return }
        for _ in 0..<chance.within(1...6) {
            let place = chance.below(operations.count)
            operations.insert(.urge(client: chance.below(clientCount)), at: place)
        }
    }

    /// From a chance of its own, so that the other seeds stay what they are.
    private mutating func addHandingOver() {
        var chance = Chance(seed: Chance.mix(seed ^ 0x4a9d))
        guard chance.happens(250) else { return }
        let at = chance.time(0...60_000_000)
        operations.append(.handOver(at: at))
        if chance.happens(300) {
            operations.append(.keep(at: at + chance.time(0...chance.pick([100_000, 60_000_000]))))
        }
    }

    private mutating func addTroubles(_ chance: inout Chance) {
        let span: UInt64 = 60_000_000
        if chance.happens(150), clientCount > 0 {
            let client = chance.below(clientCount)
            operations.append(.kill(client: client, at: chance.time(0...span)))
        }
        if chance.happens(200) {
            let time = chance.time(100_000...300_000_000)
            operations.append(.exhaust(at: chance.time(0...span), nanoseconds: time))
        }
        if chance.happens(100) {
            let time = chance.time(1_000_000...100_000_000_000)
            operations.append(.jump(at: chance.time(0...span), nanoseconds: time))
        }
        if chance.happens(50) {
            operations.append(.breakListener(at: chance.time(0...span)))
        }
        if chance.happens(100) { operations.append(.ring(at: chance.time(0...span))) }
        if chance.happens(300) { operations.append(.stop(at: chance.time(0...span))) }
    }
}
