// Reading: what there is to know of a running process at one moment. Plain values that whoever runs
// the services fills in; everything else in this room makes text of them. So every state there
// might be can be made up, and nothing here reaches into a worker.

public import Engine
import Measure

/// A count that is a service's own, with its name.
public struct NamedCount: Equatable, Sendable {
    /// In lower case with underscores, such as `access_denied`.
    public var name: String
    public var value: UInt64

    public init(_ name: String, _ value: UInt64) {
        self.name = name
        self.value = value
    }
}

/// One worker.
public struct WorkerReading: Sendable {
    /// Its place among the workers of its service, from 0.
    public var number: Int
    /// The kernel interface that it runs on.
    public var backend: Backend
    /// What it did since it started.
    public var counters: Counters
    /// Connections open now, and how many it may have.
    public var connections: Int
    public var connectionsMax: Int
    /// Buffers that hold nothing now, and all that it has.
    public var buffersFree: Int
    public var buffers: Int
    /// Why it does not accept at the moment; nil where it does.
    public var acceptPause: String?

    public init(
        number: Int,
        backend: Backend,
        counters: Counters,
        connections: Int,
        connectionsMax: Int,
        buffersFree: Int,
        buffers: Int,
        acceptPause: String? = nil
    ) {
        self.number = number
        self.backend = backend
        self.counters = counters
        self.connections = connections
        self.connectionsMax = connectionsMax
        self.buffersFree = buffersFree
        self.buffers = buffers
        self.acceptPause = acceptPause
    }
}

/// One upstream of a relay.
public struct UpstreamReading: Sendable {
    /// As the user wrote it, such as `10.0.0.1:80`.
    public var target: String
    /// Whether it is given connections.
    public var isUp: Bool
    /// Connections to it that are open now.
    public var connections: Int
    /// Its counts since the start.
    public var counts: [NamedCount]

    public init(target: String, isUp: Bool, connections: Int, counts: [NamedCount]) {
        self.target = target
        self.isUp = isUp
        self.connections = connections
        self.counts = counts
    }
}

/// What a service does with what it receives.
public enum ServiceKind: String, Codable, Sendable {
    case echo
    case relay
}

/// One service with its workers.
public struct ServiceReading: Sendable {
    /// Tells it from the other services of the process.
    public var name: String
    public var kind: ServiceKind
    /// The addresses it listens on.
    public var addresses: [String]
    public var workers: [WorkerReading]
    /// Counts of its own, beside those of its workers.
    public var counts: [NamedCount]
    /// Where a relay connects to; empty for any other.
    public var upstreams: [UpstreamReading]

    public init(
        name: String,
        kind: ServiceKind,
        addresses: [String],
        workers: [WorkerReading],
        counts: [NamedCount] = [],
        upstreams: [UpstreamReading] = []
    ) {
        self.name = name
        self.kind = kind
        self.addresses = addresses
        self.workers = workers
        self.counts = counts
        self.upstreams = upstreams
    }

    /// The counts of its workers together.
    var counters: Counters {
        workers.reduce(into: Counters()) { $0.add($1.counters) }
    }

    /// Connections open now.
    public var connections: Int { workers.reduce(0) { $0 + $1.connections } }
}

/// How far a process is in its life.
public enum ProcessState: String, Codable, Sendable {
    /// It does not accept yet.
    case starting
    case serving
    /// It accepts no more, and finishes what it has.
    case draining
}

/// The process with its services.
public struct ProcessReading: Sendable {
    /// The version of the program, and the commit that it was built from where that is known.
    public var version: String
    public var commit: String?
    /// When it started, in seconds since 1970 (UTC).
    public var startedAtSeconds: Double
    public var state: ProcessState
    public var services: [ServiceReading]
    /// What it has given up, by the names of the measures, and why not where it has not.
    public var confinement: [String: String]
    /// What the kernel says of it; nil where that cannot be read.
    public var figures: ProcessFigures?
    /// When this was read, in seconds since 1970 (UTC).
    public var readAtSeconds: Double

    /// What was read just now. What the kernel says of the process is read here, too.
    public init(
        version: String,
        commit: String? = nil,
        startedAtSeconds: Double,
        state: ProcessState,
        services: [ServiceReading],
        confinement: [String: String] = [:],
        figures: ProcessFigures? = .current()
    ) {
        self.version = version
        self.commit = commit
        self.startedAtSeconds = startedAtSeconds
        self.state = state
        self.services = services
        self.confinement = confinement
        self.figures = figures
        readAtSeconds = Double(WallClock.nanoseconds) / 1e9
    }

    /// Connections open now in all services.
    var connections: Int { services.reduce(0) { $0 + $1.connections } }

    /// Connections that are waited for before the process ends.
    var drainingConnections: Int { state == .draining ? connections : 0 }
}
