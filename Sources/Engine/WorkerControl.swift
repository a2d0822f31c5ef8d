// WorkerControl: what other threads may say to a worker, and what it tells them. It looks at what
// is asked when its doorbell rings, so that nothing of this costs a message anything.

import Net
import Synchronization

/// What a worker was at a moment.
public struct WorkerSnapshot: Sendable {
    /// What it had done since its start.
    public var counters = Counters()
    /// Connections that stood.
    public var connections = 0
    /// Buffers that held no bytes, offered to the kernel or not.
    public var buffersFree = 0

    /// One that has done nothing, or what earlier workers did.
    public init(counters: Counters = Counters()) { self.counters = counters }

    init(counters: Counters, connections: Int, buffersFree: Int) {
        self.counters = counters
        self.connections = connections
        self.buffersFree = buffersFree
    }

    /// Adds another worker's.
    public mutating func add(_ other: WorkerSnapshot) {
        counters.add(other.counters)
        connections += other.connections
        buffersFree += other.buffersFree
    }
}

/// What other threads may say to a worker, and ask of it.
public final class WorkerControl: Sendable {
    let doorbell: Doorbell
    /// Where connections come from other processes, and go to them.
    let desk = ConnectionDesk()
    private let stop = Atomic<Bool>(false)
    private let pace = Mutex<DrainPace?>(nil)
    private let cut = Atomic<Bool>(false)
    private let retirement = Atomic<Bool>(false)
    /// The errno for which accepting pauses, or 0.
    private let exhaustion = Atomic<Int32>(0)
    /// The errno for which a listener was given up, or 0.
    private let listenerLoss = Atomic<Int32>(0)
    private let snapshotWish = Atomic<Bool>(false)
    private let lastSnapshot = Mutex(WorkerSnapshot())
    private let ended = Atomic<Bool>(false)

    init() throws(SystemError) { doorbell = try Doorbell() }

    // ---- what ends ----

    var isStopRequested: Bool { stop.load(ordering: .acquiring) }
    var isCutRequested: Bool { cut.load(ordering: .acquiring) }
    var isRetirementRequested: Bool { retirement.load(ordering: .acquiring) }

    /// The pace of the stop that was requested; nil where all may go at once.
    var drainPace: DrainPace? { pace.withLock { $0 } }

    func requestStop(pacedBy pace: DrainPace?) {
        self.pace.withLock { $0 = pace }
        stop.store(true, ordering: .releasing)
        doorbell.ring()
    }

    func requestCut() {
        cut.store(true, ordering: .releasing)
        doorbell.ring()
    }

    func requestRetirement() {
        retirement.store(true, ordering: .releasing)
        doorbell.ring()
    }

    /// Asks something about connections that come from another process or go to one.
    func ask(_ request: DeskRequest, answeringAt bell: Doorbell?) {
        desk.ask(request, answeringAt: bell)
        doorbell.ring()
    }

    // ---- what goes wrong ----

    /// Why accepting pauses, or nil.
    var acceptPause: Errno? {
        let code = exhaustion.load(ordering: .relaxed)
        return code == 0 ? nil : Errno(rawValue: code)
    }

    func setAcceptPause(_ error: Errno?) {
        exhaustion.store(error?.rawValue ?? 0, ordering: .relaxed)
    }

    /// Why a listener was given up, or nil.
    var lostListener: Errno? {
        let code = listenerLoss.load(ordering: .relaxed)
        return code == 0 ? nil : Errno(rawValue: code)
    }

    func reportLostListener(_ error: Errno) {
        listenerLoss.store(error.rawValue, ordering: .relaxed)
    }

    // ---- what is known ----

    /// The newest snapshot.
    var snapshot: WorkerSnapshot { lastSnapshot.withLock { $0 } }

    var isSnapshotWanted: Bool {
        snapshotWish.load(ordering: .acquiring) && !ended.load(ordering: .acquiring)
    }

    /// Asks for a new one, which is there when it is not wanted any more.
    func requestSnapshot() {
        snapshotWish.store(true, ordering: .releasing)
        doorbell.ring()
    }

    func publish(_ snapshot: WorkerSnapshot) {
        lastSnapshot.withLock { $0 = snapshot }
        snapshotWish.store(false, ordering: .releasing)
    }

    /// Whether the worker has had its last word.
    var hasEnded: Bool { ended.load(ordering: .acquiring) }

    /// The worker's last word: nobody waits for another.
    func publishLast(_ snapshot: WorkerSnapshot) {
        publish(snapshot)
        ended.store(true, ordering: .releasing)
    }
}
