// EchoServer: the echo service inside the test's own process, on a port that the kernel chooses.

public import Engine
public import Net
import Services

/// A buffer pool that a conformance test runs with.
public enum PoolSetting: String, CaseIterable, Sendable {
    /// What the server has by default.
    case normal
    /// Eight buffers: everything starves.
    case eightBuffers
    /// Sixteen bytes a buffer: everything is cut to pieces.
    case tinyBuffers
    /// Queues of the smallest size, and no multishot: everything has to wait its turn.
    case tinyQueues
    /// Connections in the tables of the rings.
    case registeredFiles

    /// Sets a pool.
    public func apply(to limits: inout Limits) {
        switch self {
        case .normal: limits.pipeCount = 16
        case .eightBuffers: limits.bufferCount = 8
        case .tinyBuffers:
            limits.bufferBytes = 16
            limits.bufferCount = 4096
        case .tinyQueues:
            limits.submissionEntries = 4
            limits.completionEntries = 8
        case .registeredFiles: break
        }
    }
}

/// The ways in which a server can hold its connections.
public enum Interface: String, CaseIterable, Sendable {
    case uring
    /// io_uring with connections in the tables of its rings.
    case registeredFiles
    case epoll

    /// Sets a plan.
    public func apply(to plan: inout GroupPlan) {
        plan.backend = self == .epoll ? .epoll : .uring
        plan.registersFiles = self == .registeredFiles
    }
}

/// A running echo server.
public final class EchoServer: Sendable {
    /// Where it listens.
    public let address: SocketAddress
    private let group: WorkerGroup

    /// Starts one.
    public convenience init(
        _ backend: Backend,
        pool: PoolSetting = .normal,
        adjust: (inout GroupPlan) -> Void = { _ in }
    ) throws {
        var limits = Limits(connectionsMax: 2000)
        pool.apply(to: &limits)
        try self.init(
            backend,
            limits: limits,
            adjust: { plan in
                plan.registersFiles = pool == .registeredFiles
                adjust(&plan)
            }
        ) { _ in EchoService() }
    }

    /// Starts one that holds its connections in a certain way.
    public convenience init(
        _ interface: Interface,
        adjust: (inout GroupPlan) -> Void = { _ in }
    ) throws {
        try self.init(Backend.uring) { plan in
            interface.apply(to: &plan)
            adjust(&plan)
        }
    }

    /// Starts one with another handler.
    public init<H: Handler & ~Copyable>(
        _ backend: Backend,
        limits: Limits,
        adjust: (inout GroupPlan) -> Void = { _ in },
        _ makeHandler: @escaping @Sendable (Int) -> H
    ) throws {
        var plan = GroupPlan(backend: backend, limits: limits)
        plan.usesMultishot = limits.submissionEntries > 4
        plan.listeners = [ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))]
        plan.policy.drainNanoseconds = .nanosecondsPerSecond
        adjust(&plan)
        group = try WorkerGroup(plan, makeHandler)
        address = group.addresses[0]
    }

    /// Starts one with a fault. Clients that it fails are not waited for at its stop.
    public static func faulty(_ fault: EchoFault, _ backend: Backend) throws -> EchoServer {
        try EchoServer(
            backend,
            limits: Limits(connectionsMax: 1000),
            adjust: { $0.policy.drainNanoseconds = 50_000_000 }
        ) { _ in FaultyEcho(fault) }
    }

    /// Every address, where it listens on several.
    public var addresses: [SocketAddress] { group.addresses }

    /// Why it gave up a listener, if it did.
    public var lostListener: Errno? { group.lostListener }

    /// Serves a case, and stops whatever comes of it.
    public func serve(_ body: (EchoServer) throws -> Void) throws -> Counters {
        do {
            try body(self)
        } catch {
            _ = stop()
            throw error
        }
        return stop()
    }

    /// Stops it.
    public func stop() -> Counters {
        var sum = Counters()
        for counters in group.stop() { sum.add(counters) }
        return sum
    }
}
