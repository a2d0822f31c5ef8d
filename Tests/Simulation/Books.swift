// Books: what has to be true between two turns. The worker's account of buffers, connections and
// requests is compared with the model kernel's.

@_spi(Simulation) import Engine
import Net
import URing

/// The checks of one run.
struct Books {
    private let plan: Plan
    private var edges = EdgeBooks()
    private var drain: DrainBooks
    /// For each buffer, whether it was seen in an outbox.
    private var isQueued: [Bool]
    /// For each slot, requests in flight by kind.
    private var receives: [Int] = []
    private var sends: [Int] = []
    /// For each slot that is throttled, what it had received when last looked at, and how often
    /// that had grown while nobody tried to stop it.
    private var throttled: [(received: Int, growths: Int)?] = []
    /// A cancellation may miss so often in a row at most.
    private static let growthsMax = 30

    init(_ plan: Plan) {
        self.plan = plan
        drain = DrainBooks(plan)
        isQueued = Array(repeating: false, count: plan.limits.bufferCount)
    }

    /// Compares everything.
    mutating func check<D: Driver & ~Copyable, H: Handler & ~Copyable>(
        _ worker: borrowing SteppedWorker<D, H>,
        _ host: ModelHost
    ) {
        let slots = Int(worker.usedSlots)
        if receives.count < slots {
            let new = Array(repeating: 0, count: slots - receives.count)
            receives += new
            sends += new
            throttled += new.map { _ in nil }
        }
        if plan.backend == .uring { countRequests(worker, host) }
        edges.begin(host)
        drain.begin(host, slotCount: slots)
        for buffer in isQueued.indices { isQueued[buffer] = false }
        for slot in 0..<worker.usedSlots {
            if let connection = worker.connection(in: slot) {
                check(connection, in: slot, worker, host)
            } else {
                throttled[Int(slot)] = nil
            }
        }
        checkBuffers(worker, host)
        drain.end(host)
        if worker.counters.staleCompletions > 0 {
            host.fail("a completion came for a former owner of a slot")
        }
    }

    private mutating func countRequests<D: Driver & ~Copyable, H: Handler & ~Copyable>(
        _ worker: borrowing SteppedWorker<D, H>,
        _ host: ModelHost
    ) {
        for slot in receives.indices { (receives[slot], sends[slot]) = (0, 0) }
        var accepts = 0
        func count(_ kind: Request.Kind, _ token: Token, _ books: inout Books) {
            guard kind == .receive || kind == .send else {
                if kind == .accept { accepts += 1 }
                return
            }
            let slot = token.slot
            guard slot < worker.usedSlots,
                worker.connection(in: slot)?.generation == token.generation
            else { return host.fail("a \(kind) is in flight for a slot that is free") }
            if kind == .receive {
                books.receives[Int(slot)] += 1
            } else {
                books.sends[Int(slot)] += 1
            }
        }
        for request in host.requests { count(request.kind, request.token, &self) }
        for queued in host.queue {
            if let kind = queued.kind.request { count(kind, queued.token, &self) }
        }
        for entry in host.posted.dropFirst(host.firstPosted) {
            if let kind = entry.ended { count(kind, entry.completion.token, &self) }
        }
        for entry in host.overflow {
            if let kind = entry.ended { count(kind, entry.completion.token, &self) }
        }
        if accepts > 1 { host.fail("\(accepts) accepts are in flight") }
    }

    private mutating func check<D: Driver & ~Copyable, H: Handler & ~Copyable>(
        _ connection: SteppedConnection,
        in slot: UInt32,
        _ worker: borrowing SteppedWorker<D, H>,
        _ host: ModelHost
    ) {
        switch plan.backend {
        case .uring: checkRequests(connection, in: slot, host)
        case .epoll: edges.check(connection, in: slot, host)
        }
        if host.socket(connection.descriptor) == nil {
            host.fail("slot \(slot) has a descriptor that is closed")
        }
        drain.check(connection, in: slot, host)
        var bytes = 0
        var place = 0
        worker.outbox(of: slot) { buffer, byteCount in
            if isQueued[buffer] { host.fail("buffer \(buffer) is queued twice") }
            isQueued[buffer] = true
            let owner: BufferOwner = place < connection.sendingCount ? .sending : .connection
            if worker.owner(ofBuffer: buffer) != owner {
                host.fail("buffer \(buffer) of slot \(slot) is not its own")
            }
            bytes += byteCount
            place += 1
        }
        if bytes != connection.pendingBytes { host.fail("slot \(slot) miscounts its bytes") }
        checkPending(connection, in: slot, host)
    }

    private func checkRequests(
        _ connection: SteppedConnection,
        in slot: UInt32,
        _ host: ModelHost
    ) {
        let index = Int(slot)
        if receives[index] != (connection.isReceiving ? 1 : 0) {
            host.fail("\(receives[index]) receives are in flight for slot \(slot)")
        }
        if sends[index] != (connection.isSending ? 1 : 0) {
            host.fail("\(sends[index]) sends are in flight for slot \(slot)")
        }
    }

    /// Above the cap reading stops: what was on its way still comes, and nothing later.
    private mutating func checkPending(
        _ connection: SteppedConnection,
        in slot: UInt32,
        _ host: ModelHost
    ) {
        guard connection.isThrottled, let socket = host.socket(connection.descriptor) else {
            throttled[Int(slot)] = nil
            return
        }
        var record = throttled[Int(slot)] ?? (socket.received, 0)
        if record.received != socket.received {
            let isEnding = host.isEnding(.receive, slot, connection.generation)
            record = (socket.received, record.growths + (isEnding ? 0 : 1))
        }
        throttled[Int(slot)] = record
        if record.growths > Books.growthsMax {
            host.fail("slot \(slot) is throttled and goes on receiving")
        }
    }

    private func checkBuffers<D: Driver & ~Copyable, H: Handler & ~Copyable>(
        _ worker: borrowing SteppedWorker<D, H>,
        _ host: ModelHost
    ) {
        var offered = host.isProvided
        for buffer in host.staged { offered[Int(buffer.id)] = true }
        for entry in host.posted.dropFirst(host.firstPosted) + host.overflow {
            if let buffer = entry.completion.bufferID { offered[Int(buffer)] = true }
        }
        for buffer in isQueued.indices {
            let owner = worker.owner(ofBuffer: buffer)
            if (owner == .kernel) != offered[buffer] {
                host.fail("buffer \(buffer) is \(owner), and the kernel's: \(offered[buffer])")
            }
            if (owner == .connection || owner == .sending) != isQueued[buffer] {
                host.fail("buffer \(buffer) is \(owner), and queued: \(isQueued[buffer])")
            }
        }
    }

    /// All slots are free and all buffers home.
    func checkQuiet<D: Driver & ~Copyable, H: Handler & ~Copyable>(
        _ worker: borrowing SteppedWorker<D, H>,
        _ host: ModelHost
    ) {
        for buffer in isQueued.indices where isQueued[buffer] {
            host.fail("buffer \(buffer) is not home though everybody has gone")
        }
        let others = host.requests.filter { $0.kind == .receive || $0.kind == .send }
        if !others.isEmpty { host.fail("\(others.count) requests are in flight for nobody") }
    }

    /// What has to be true of the host after the worker has ended.
    static func checkEnd(_ counters: Counters, _ host: ModelHost) {
        let open = host.descriptors.count { $0 != nil } + host.files.count { $0 != nil }
        if open > 0 { host.fail("\(open) descriptors were never closed") }
        if counters.accepted != counters.closed {
            host.fail("accepted \(counters.accepted), closed \(counters.closed)")
        }
        if counters.bytesReceived != counters.bytesSent + counters.bytesDropped {
            host.fail("the worker's counts of bytes do not add up")
        }
    }
}

extension Queued.Kind {
    /// The request that this begins, if it does.
    var request: Request.Kind? {
        switch self {
        case .accept: .accept
        case .receive: .receive
        case .send: .send
        case .poll, .cancel, .close, .unknown: nil
        }
    }
}
