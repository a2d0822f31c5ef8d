// StatusDocument: a reading as JSON, for the page and for whoever likes `jq` better than metrics.
// The names of counts are those of the line that the server writes when it stops. Numbers are
// numbers, and keys are sorted, so that two documents can be compared line by line.

import Engine
import FoundationEssentials

/// What /status says.
struct StatusDocument: Codable, Equatable {
    var version: String
    var commit: String?
    var state: ProcessState
    var startedAtSeconds: Double
    var readAtSeconds: Double
    var connections: Int
    var drainingConnections: Int
    /// Nil where the process is of a version that does not tell.
    var confinement: [String: String]?
    var process: Figures?
    var services: [Service]

    /// A service: its own counts, and its workers' together.
    struct Service: Codable, Equatable {
        var name: String
        var kind: ServiceKind
        var addresses: [String]
        var connections: Int
        var connectionsMax: Int
        var counters: [String: UInt64]
        var ends: [String: Ends]
        var counts: [String: UInt64]
        var workers: [Worker]
        var upstreams: [Upstream]

        enum CodingKeys: String, CodingKey {
            case name, kind, addresses, connections, counters, ends, counts, workers, upstreams
            case connectionsMax = "connections_max"
        }
    }

    struct Worker: Codable, Equatable {
        var number: Int
        var backend: String
        var connections: Int
        var connectionsMax: Int
        var buffers: Int
        var buffersFree: Int
        var acceptPause: String?
        var counters: [String: UInt64]
        var ends: [String: Ends]

        enum CodingKeys: String, CodingKey {
            case number, backend, connections, buffers, counters, ends
            case connectionsMax = "connections_max"
            case buffersFree = "buffers_free"
            case acceptPause = "accept_pause"
        }
    }

    /// Connections that ended in one way.
    struct Ends: Codable, Equatable {
        var delivered: UInt64
        var undelivered: UInt64
    }

    struct Upstream: Codable, Equatable {
        var target: String
        var up: Bool
        var connections: Int
        var counts: [String: UInt64]
    }

    struct Figures: Codable, Equatable {
        var processorSeconds: Double
        var residentBytes: UInt64
        var virtualBytes: UInt64
        var openDescriptors: Int
        var descriptorsMax: UInt64
        var threads: Int
        var startedAtSeconds: Double

        enum CodingKeys: String, CodingKey {
            case processorSeconds = "cpu_seconds"
            case residentBytes = "resident_bytes"
            case virtualBytes = "virtual_bytes"
            case openDescriptors = "open_descriptors"
            case descriptorsMax = "descriptors_max"
            case threads
            case startedAtSeconds = "started_at_seconds"
        }
    }

    enum CodingKeys: String, CodingKey {
        case version, commit, state, connections, confinement, process, services
        case startedAtSeconds = "started_at_seconds"
        case readAtSeconds = "read_at_seconds"
        case drainingConnections = "draining_connections"
    }
}

extension StatusDocument {
    init(_ reading: ProcessReading) {
        self.init(
            version: reading.version,
            commit: reading.commit,
            state: reading.state,
            startedAtSeconds: reading.startedAtSeconds,
            readAtSeconds: reading.readAtSeconds,
            connections: reading.connections,
            drainingConnections: reading.drainingConnections,
            confinement: reading.confinement,
            process: reading.figures.map { Figures($0) },
            services: reading.services.map { Service($0) }
        )
    }

    /// The document as JSON, with a newline at the end.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}

extension StatusDocument.Service {
    fileprivate init(_ service: ServiceReading) {
        let counters = service.counters
        self.init(
            name: service.name,
            kind: service.kind,
            addresses: service.addresses,
            connections: service.connections,
            connectionsMax: service.workers.reduce(0) { $0 + $1.connectionsMax },
            counters: counters.byName,
            ends: counters.terminations.byName,
            counts: service.counts.byName,
            workers: service.workers.map { StatusDocument.Worker($0) },
            upstreams: service.upstreams.map {
                StatusDocument.Upstream(
                    target: $0.target,
                    up: $0.isUp,
                    connections: $0.connections,
                    counts: $0.counts.byName
                )
            }
        )
    }
}

extension StatusDocument.Worker {
    fileprivate init(_ worker: WorkerReading) {
        self.init(
            number: worker.number,
            backend: worker.backend.rawValue,
            connections: worker.connections,
            connectionsMax: worker.connectionsMax,
            buffers: worker.buffers,
            buffersFree: worker.buffersFree,
            acceptPause: worker.acceptPause,
            counters: worker.counters.byName,
            ends: worker.counters.terminations.byName
        )
    }
}

extension StatusDocument.Figures {
    fileprivate init(_ figures: ProcessFigures) {
        self.init(
            processorSeconds: figures.processorSeconds,
            residentBytes: figures.residentBytes,
            virtualBytes: figures.virtualBytes,
            openDescriptors: figures.openDescriptors,
            descriptorsMax: figures.descriptorsMax,
            threads: figures.threads,
            startedAtSeconds: figures.startedAtSeconds
        )
    }
}

extension Counters {
    fileprivate var byName: [String: UInt64] {
        Dictionary(uniqueKeysWithValues: Counters.fields.map { ($0.name, self[keyPath: $0.path]) })
    }
}

extension TerminationCounts {
    fileprivate var byName: [String: StatusDocument.Ends] {
        Dictionary(
            uniqueKeysWithValues: Termination.allCases.map {
                (
                    $0.name,
                    StatusDocument.Ends(
                        delivered: self[$0, undelivered: false],
                        undelivered: self[$0, undelivered: true]
                    )
                )
            }
        )
    }
}

extension [NamedCount] {
    /// Of two counts with one name the later stands.
    fileprivate var byName: [String: UInt64] {
        Dictionary(map { ($0.name, $0.value) }) { $1 }
    }
}
