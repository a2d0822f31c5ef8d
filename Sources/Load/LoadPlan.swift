// LoadPlan: what a run is to do. Plain values; the command line makes them, the workers read them.

public import Engine
public import Net

/// What connections do.
public enum Workload: Equatable, Sendable {
    /// Requests and their responses on connections that last: `rr`.
    case requestResponse
    /// A connection for each request: connect, request, response, close: `crr`.
    case connectRequestClose
    /// Bytes without pause: `stream`.
    case stream(StreamDirection)
    /// Connections that are held; so many of them send a request now and then: `idle`.
    case idle(active: Int)
}

/// Which way a stream's bytes go.
public enum StreamDirection: String, CaseIterable, Sendable {
    /// They are sent, and come back.
    case both
    /// They are sent; what comes back is dropped.
    case send
    /// They come from the server unasked.
    case receive
}

/// When requests begin.
public enum Arrivals: Equatable, Sendable {
    /// When the response before has come, and the client has thought for a while.
    case closed(thinkNanoseconds: UInt64)
    /// At moments of their own, so many per second, whatever the server does; equally spaced, or
    /// as independent callers would send them.
    case open(perSecond: Double, Spacing)

    /// How requests of an open loop follow each other.
    public enum Spacing: String, CaseIterable, Sendable {
        case constant
        case poisson
    }

    /// Whether requests have moments of their own.
    public var isOpen: Bool {
        if case .open = self { true } else { false }
    }
}

/// How long a run lasts.
public enum Span: Equatable, Sendable {
    case nanoseconds(UInt64)
    /// Until so many messages have been exchanged.
    case messages(UInt64)
}

/// What a run is to do.
public struct LoadPlan: Sendable {
    public var workload = Workload.requestResponse
    /// Where to: connections take them in turn.
    public var targets: [SocketAddress]
    /// Where from: connections take them in turn. The kernel chooses where it is empty.
    public var sources: [SocketAddress] = []
    /// The kernel interface of the load generator itself.
    public var backend: Backend
    /// Whether workers look for events before they sleep.
    public var busyPolling = BusyPolling.off
    /// Whether connections are registered files, not descriptors (io_uring alone).
    public var registersFiles = false
    /// Connections of all workers together.
    public var connections = 50
    /// Sizes of requests; of a stream's blocks.
    public var size = SizeDistribution.fixed(64)
    /// Requests under way on each connection.
    public var depth = 1
    public var arrivals = Arrivals.closed(thinkNanoseconds: 0)
    /// Over how long the connects are spread.
    public var rampNanoseconds: UInt64 = 0
    public var warmupNanoseconds: UInt64 = .nanosecondsPerSecond
    public var span = Span.nanoseconds(10 * .nanosecondsPerSecond)
    /// Threads.
    public var workerCount = 1
    /// CPUs to pin them to, in turn; none where empty.
    public var cpus: [Int32] = []
    /// Whether every byte is keyed and checked.
    public var verifies = false
    /// Whether FIN follows the last request at once, instead of the last response.
    public var halfCloses = false
    /// The share of connections that end with RST.
    public var resetShare = 0.0
    /// Whether a connection of `crr` ends with FIN, and leaves its port in TIME_WAIT. Otherwise it
    /// ends with RST once its response has come.
    public var keepsTimeWait = false
    /// How long a connection waits after each receive before it reads on; 0 reads at once.
    public var readDelayNanoseconds: UInt64 = 0
    /// How long a connect or a response may take.
    public var timeoutNanoseconds: UInt64 = 10 * .nanosecondsPerSecond
    /// Whether TCP is asked what it knows of each connection that ends.
    public var asksTCP = true
    /// Whether the system calls of load and server are counted, which slows both a little.
    public var countsSystemCalls = false
    /// Decides sizes, keys and arrivals.
    public var seed: UInt64 = 1

    /// A run against one server, everything else by default.
    public init(target: SocketAddress, backend: Backend) {
        targets = [target]
        self.backend = backend
    }

    /// The name of the load generator's own kernel interface, `uring` or `epoll`.
    public var backendName: String { backend.rawValue }

    /// Whether there is no pair of a source and a target of one family.
    public var hasNoEndpoint: Bool { endpoints.isEmpty }

    /// The size of a buffer of the load generator: what is under way on a connection, so that the
    /// buffers of small messages lie close together, and stay in the cache.
    var bufferBytes: Int {
        if case .stream = workload { return 64 * 1024 }
        return min(max(size.largest * depth, 256), 64 * 1024)
    }

    /// The connections of one worker: a consecutive share of all.
    func connections(ofWorker number: Int) -> Range<Int> {
        share(of: connections, ofWorker: number)
    }

    /// The messages of one worker, where the run lasts for a number of them.
    func messages(ofWorker number: Int) -> Int? {
        guard case .messages(let count) = span else { return nil }
        return share(of: Int(clamping: count), ofWorker: number).count
    }

    /// The connections of one worker that send requests; none of them is left out but in `idle`.
    func activeConnections(ofWorker number: Int) -> Int {
        guard case .idle(let active) = workload else { return connections(ofWorker: number).count }
        return min(share(of: active, ofWorker: number).count, connections(ofWorker: number).count)
    }

    private func share(of all: Int, ofWorker number: Int) -> Range<Int> {
        let (each, rest) = all.quotientAndRemainder(dividingBy: workerCount)
        let first = each * number + min(rest, number)
        return first..<(first + each + (number < rest ? 1 : 0))
    }

    /// Where the workers may connect to: every target from every source of its family.
    var endpoints: [Target] {
        guard !sources.isEmpty else { return targets.map { Target(address: $0) } }
        return sources.flatMap { source in
            targets.filter { $0.family == source.family }
                .map { Target(address: $0, source: source) }
        }
    }
}
