// WorkerGroup: the threads of a service, one worker each, and the one switch that chooses a driver.

public import Net
import Synchronization
public import URing

/// The kernel interface that moves the bytes.
public enum Backend: String, Sendable, CaseIterable {
    case uring
    case epoll
}

/// What a thread does before what it is there for.
public typealias ThreadStart = @Sendable () throws(SystemError) -> Void

/// What a group of workers is to do.
public struct GroupPlan: Sendable {
    /// The kernel interface.
    public var backend: Backend
    /// The last so many workers run on epoll whatever the others run on: for a comparison under
    /// one load. At most as many as there are workers.
    public var epollWorkerCount = 0
    /// Threads, each with a worker. At least 1.
    public var workerCount = 1
    /// The CPU of each worker, in turn; none are pinned where it is empty.
    public var cpus: [Int32] = []
    /// Capacities of each worker.
    public var limits: Limits
    /// How long connections may be silent or stalled, and who may connect.
    public var policy = ConnectionPolicy()
    /// Whether a record of each connection is kept for `takeRecords`.
    public var recordsConnections = false
    /// Where to listen. Every worker gets a listener of its own for each.
    public var listeners: [ListenOptions] = []
    /// Sockets that listen already, for some of those addresses. The group owns them from here on,
    /// also where it does not start.
    public var inherited: [ListeningSockets] = []
    /// Where handlers may connect to.
    public var targets: [Target] = []
    /// Whether io_uring accepts and receives until further notice (multishot, Linux 6.0), or asks
    /// each time anew. No other backend knows the difference.
    public var usesMultishot = true
    /// Whether io_uring keeps accepted connections in tables of its rings (registered files, Linux
    /// 6.8), where they are no descriptors of the process. No other backend can.
    public var registersFiles = false
    /// Whether rings take nothing but what the driver asks of them, and nothing can be registered
    /// with them any more (Linux 5.10). Wherever the kernel cannot, no worker starts.
    public var restrictsRings = false
    /// Called on each worker's thread when it has all that it needs, before it serves. Where it
    /// fails, no worker runs.
    public var beforeServing: ThreadStart?
    /// Whether workers look for events before they sleep.
    public var busyPolling = BusyPolling.off
    /// Set-up flags that io_uring does without even where the kernel has them: for tests of older
    /// kernels.
    public var refusedFlags: SetupFlags = []
    /// Whether connections of another process may come to be the group's (`ConnectionTaker`).
    public var expectsConnections = false
    /// The name of the threads, at most 11 bytes.
    public var name = "worker"

    /// What each worker runs on.
    public var backends: [Backend] {
        (0..<workerCount).map { $0 < workerCount - epollWorkerCount ? backend : .epoll }
    }

    /// A plan for one worker that neither listens nor connects.
    public init(backend: Backend, limits: Limits) {
        self.backend = backend
        self.limits = limits
    }
}

/// Running workers.
public final class WorkerGroup: Sendable {
    /// The addresses listened on, with the ports that the kernel chose.
    public let addresses: [SocketAddress]
    private let threads: [Thread]
    let controls: [WorkerControl]
    /// What each worker runs on.
    let backends: [Backend]
    private let outcome: Outcome
    private let queues: [RecordQueue]
    private let workerCount: Int
    private let sockets: ListenerSet
    private let policy: ConnectionPolicy

    /// What the threads leave behind.
    private final class Outcome: Sendable {
        let counters = Mutex<[Counters]>([])
        let ended = Atomic<Int>(0)
        let failure = Mutex<SystemError?>(nil)
        let started: Doorbell
        init() throws(SystemError) { started = try Doorbell() }
    }

    /// Opens the listeners, starts the threads and returns when every worker runs.
    ///
    /// - Parameter makeHandler: called on each worker's thread with the worker's number.
    /// - Throws: the first failure; nothing runs then.
    public convenience init<H: Handler & ~Copyable>(
        _ plan: GroupPlan,
        _ makeHandler: @escaping @Sendable (Int) -> H
    ) throws(StartFailure) {
        let sockets = try ListenerSet(plan)
        do throws(SystemError) {
            try self.init(plan, sockets, makeHandler)
        } catch {
            throw .worker(error)
        }
    }

    private init<H: Handler & ~Copyable>(
        _ plan: GroupPlan,
        _ sockets: ListenerSet,
        _ makeHandler: @escaping @Sendable (Int) -> H
    ) throws(SystemError) {
        let outcome = try Outcome()
        let admission = Admission(plan)
        let queues =
            plan.recordsConnections ? (0..<plan.workerCount).map { _ in RecordQueue() } : []
        var controls: [WorkerControl] = []
        var threads: [Thread] = []
        do throws(SystemError) {
            for number in 0..<plan.workerCount {
                let control = try WorkerControl()
                control.desk.expectsConnections = plan.expectsConnections
                // With a key path in this initialiser the compiler would not carry it over to other
                // modules, and the loop would not be specialised (`make codegen`).
                let listeners = sockets.descriptors(ofWorker: number)
                let driverPlan = DriverPlan(plan, listeners, control.doorbell)
                let cpu = plan.cpus.isEmpty ? nil : plan.cpus[number % plan.cpus.count]
                let queue = queues.isEmpty ? nil : queues[number]
                let tools = Tools(
                    control: control,
                    outcome: outcome,
                    queue: queue,
                    admission: admission
                )
                let thread = try Thread(name: "\(plan.name)-\(number)", cpu: cpu) {
                    WorkerGroup.work(number, plan, driverPlan, tools, makeHandler)
                }
                controls.append(control)
                threads.append(thread)
            }
        } catch {
            // Nothing runs after a failure: the others would go on serving without a group.
            for control in controls { control.requestStop(pacedBy: nil) }
            for thread in threads { thread.join() }
            sockets.close(fromWorker: threads.count)
            throw error
        }
        addresses = sockets.addresses
        self.sockets = sockets
        self.threads = threads
        self.controls = controls
        self.outcome = outcome
        self.queues = queues
        workerCount = plan.workerCount
        policy = plan.policy
        backends = plan.backends
        outcome.started.wait(forRings: plan.workerCount)
        if let failure = outcome.failure.withLock({ $0 }) {
            stop()
            throw failure
        }
    }

    /// Asks every worker to stop: listeners close, and connections finish what they hold, at the
    /// policy's pace and within its drain timeout.
    public func requestStop() { requestStop(pacedBy: DrainPace(policy)) }

    /// Asks every worker to stop at a pace that others may share, or without one.
    public func requestStop(pacedBy pace: DrainPace?) {
        for control in controls { control.requestStop(pacedBy: pace) }
    }

    /// The sockets that listen, of all workers. They stay the group's.
    public var listeners: [Descriptor] { sockets.all }

    /// Other descriptors of the sockets that listen on some of the plan's addresses, for a group
    /// that is to go on with them. Those that had to be given up are not among them.
    public func duplicateListeners(on addresses: [SocketAddress]) -> [ListeningSockets] {
        guard lostListener == nil else { return [] }
        return sockets.duplicates(on: addresses)
    }

    /// Takes no more connections and keeps those that it has until they end: then its workers end.
    /// Who waits in a listener's queue is taken in while there is room; the rest is for whoever has
    /// the listener as well.
    public func requestRetirement() {
        for control in controls { control.requestRetirement() }
    }

    /// What each worker is at present, in their order. A worker that does not answer in time is as
    /// it last was.
    public func snapshots(withinNanoseconds timeout: UInt64) -> [WorkerSnapshot] {
        _ = answers(withinNanoseconds: timeout)
        return controls.map(\.snapshot)
    }

    /// Whether every worker that has not ended takes notice of a question in time.
    public func answers(withinNanoseconds timeout: UInt64) -> Bool {
        for control in controls { control.requestSnapshot() }
        let deadline = Clock.monotonicNanoseconds() + timeout
        while !hasEnded, controls.contains(where: \.isSnapshotWanted),
            Clock.monotonicNanoseconds() < deadline
        {
            Clock.sleep(nanoseconds: 100 * .nanosecondsPerMicrosecond)
        }
        return hasEnded || !controls.contains(where: \.isSnapshotWanted)
    }

    /// Cuts the connections that have not finished since the stop was requested.
    public func requestCut() {
        for control in controls { control.requestCut() }
    }

    /// Why a worker does not accept at the moment, for want of descriptors or memory; nil where all
    /// do.
    public var acceptPause: Errno? { controls.lazy.compactMap(\.acceptPause).first }

    /// Why a listener was given up, for an error that no waiting mends; nil where none was.
    public var lostListener: Errno? { controls.lazy.compactMap(\.lostListener).first }

    /// Whether every worker has ended.
    public var hasEnded: Bool { outcome.ended.load(ordering: .acquiring) == workerCount }

    /// Stops, and waits until every worker has ended. Called once, unless `join` is.
    ///
    /// - Returns: the counts of each worker, in the order in which they ended.
    @discardableResult
    public func stop() -> [Counters] {
        requestStop()
        return join()
    }

    /// Waits until the workers have ended. Called once, unless `stop` is.
    ///
    /// - Returns: the counts of each worker, in the order in which they ended.
    public func join() -> [Counters] {
        for thread in threads { thread.join() }
        return outcome.counters.withLock { $0 }
    }

    /// Takes the records of connections that have ended, oldest first for each worker. One thread
    /// at a time may ask; where it asks too seldom, records are dropped and counted.
    public func takeRecords(_ body: (ConnectionRecord) -> Void) {
        for queue in queues { while let record = queue.popFirst() { body(record) } }
    }

    /// Wakes every handler.
    public func wake() {
        for control in controls { control.doorbell.ring() }
    }

    /// What a worker's thread is given beside its plan.
    private struct Tools {
        let control: WorkerControl
        let outcome: Outcome
        let queue: RecordQueue?
        let admission: Admission?
    }

    private static func work<H: Handler & ~Copyable>(
        _ number: Int,
        _ plan: GroupPlan,
        _ driverPlan: DriverPlan,
        _ tools: Tools,
        _ makeHandler: @Sendable (Int) -> H
    ) {
        do throws(SystemError) {
            let counters = try serve(number, plan, driverPlan, tools, makeHandler)
            tools.outcome.counters.withLock { $0.append(counters) }
        } catch {
            for listener in driverPlan.listeners { listener.close() }
            tools.outcome.failure.withLock { $0 = $0 ?? error }
            tools.outcome.started.ring()
        }
        tools.outcome.ended.add(1, ordering: .releasing)
    }

    /// The one switch: from here on everything is specialised for the driver.
    private static func serve<H: Handler & ~Copyable>(
        _ number: Int,
        _ plan: GroupPlan,
        _ driverPlan: DriverPlan,
        _ tools: Tools,
        _ makeHandler: @Sendable (Int) -> H
    ) throws(SystemError) -> Counters {
        let handler = makeHandler(number)
        var state = try WorkerState(limits: plan.limits, handler.production)
        var journal: Journal?
        if let queue = tools.queue {
            journal = try Journal(
                worker: number,
                capacity: plan.limits.connectionsMax,
                queue: queue
            )
        }
        switch plan.backends[number] {
        case .uring:
            let driver = try UringDriver<KernelRing>(driverPlan, &state)
            return try run(driver, state, handler, plan, driverPlan, tools, journal)
        case .epoll:
            let driver = try EpollDriver<KernelCalls>(driverPlan, &state)
            return try run(driver, state, handler, plan, driverPlan, tools, journal)
        }
    }

    private static func run<D: Driver & ~Copyable, H: Handler & ~Copyable>(
        _ driver: consuming D,
        _ state: consuming WorkerState,
        _ handler: consuming H,
        _ plan: GroupPlan,
        _ driverPlan: DriverPlan,
        _ tools: Tools,
        _ journal: Journal?
    ) throws(SystemError) -> Counters {
        let worker = try Worker(
            driver: driver,
            state: state,
            handler: handler,
            plan: driverPlan,
            control: tools.control,
            policy: plan.policy,
            journal: journal,
            admission: tools.admission
        )
        try plan.beforeServing?()
        tools.outcome.started.ring()
        return worker.run()
    }
}

extension DriverPlan {
    /// A worker's part of a group's plan.
    fileprivate init(_ plan: GroupPlan, _ listeners: [Descriptor], _ doorbell: Doorbell) {
        self.init(doorbell: doorbell)
        self.listeners = listeners
        targets = plan.targets
        usesMultishot = plan.usesMultishot
        registersFiles = plan.registersFiles
        restrictsRings = plan.restrictsRings
        busyPolling = plan.busyPolling
        refusedFlags = plan.refusedFlags
    }
}

/// Why a group did not start.
public enum StartFailure: Error, Equatable, Sendable {
    /// An address could not be listened on.
    case listener(SocketAddress, SystemError)
    /// A worker could not be set up.
    case worker(SystemError)

    /// The cause, and the remedy where there is a usual one, in one line.
    public var explanation: String {
        switch self {
        case .listener(let address, let error):
            let remedy =
                switch error.code {
                case .addressInUse: "; stop the process that holds it, or listen elsewhere"
                case .accessDenied: "; a port below 1024 needs root or CAP_NET_BIND_SERVICE"
                case .addressNotAvailable: "; this host has no such address"
                default: ""
                }
            return "cannot listen on \(address): \(error.code)\(remedy)"
        case .worker(let error):
            return "cannot start a worker: \(error)"
        }
    }
}
