// PrometheusText: a reading in Prometheus' text format 0.0.4. Names have one prefix, units are base
// units, counts end in `_total`, and no address of a client is a label: a sum over any label means
// something, and the number of series does not grow with the number of clients.

import Engine

/// A reading as text for Prometheus.
enum PrometheusText {
    /// The media type of the format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All metrics of a process.
    static func render(_ reading: ProcessReading) -> String {
        var page = Exposition()
        addProcess(reading, to: &page)
        let workers = reading.services.flatMap { service in
            service.workers.map { worker in
                Labelled(worker, of: service)
            }
        }
        addWorkers(workers, to: &page)
        addServices(reading.services, to: &page)
        addUpstreams(reading.services, to: &page)
        return page.text
    }

    /// A worker and the labels of its samples.
    private struct Labelled {
        let worker: WorkerReading
        let labels: [Label]

        init(_ worker: WorkerReading, of service: ServiceReading) {
            self.worker = worker
            labels = [
                Label("service", service.name), Label("worker", String(worker.number)),
                Label("backend", worker.backend.rawValue),
            ]
        }
    }

    private static func addProcess(_ reading: ProcessReading, to page: inout Exposition) {
        let commit = reading.commit.map { [Label("commit", $0)] } ?? []
        page.gauge("ringback_build_info", "What runs, as labels.") {
            $0.add([Label("version", reading.version)] + commit, "1")
        }
        page.gauge("ringback_ready", "Whether all services accept.") {
            $0.add([], reading.state == .serving ? "1" : "0")
        }
        page.gauge("ringback_draining", "Whether the process finishes its work to end.") {
            $0.add([], reading.state == .draining ? "1" : "0")
        }
        page.gauge("ringback_draining_connections", "Connections that are waited for.") {
            $0.add([], String(reading.drainingConnections))
        }
        guard let figures = reading.figures else { return }
        page.counter("process_cpu_seconds_total", "Time on a CPU, in user and kernel mode.") {
            $0.add([], String(figures.processorSeconds))
        }
        let gauges = [
            (
                "process_resident_memory_bytes", "Memory in use.",
                String(figures.residentBytes)
            ),
            (
                "process_virtual_memory_bytes", "Addresses in use.",
                String(figures.virtualBytes)
            ),
            ("process_open_fds", "Descriptors open.", String(figures.openDescriptors)),
            (
                "process_max_fds", "Descriptors that may be open.",
                String(figures.descriptorsMax)
            ),
            (
                "process_start_time_seconds", "When the process started, since 1970.",
                String(figures.startedAtSeconds)
            ),
            ("process_threads", "Threads.", String(figures.threads)),
        ]
        for (name, help, value) in gauges { page.gauge(name, help) { $0.add([], value) } }
    }

    private static func addWorkers(_ workers: [Labelled], to page: inout Exposition) {
        func gauge(_ name: String, _ help: String, _ value: (WorkerReading) -> Int) {
            page.gauge("ringback_" + name, help) { family in
                for entry in workers { family.add(entry.labels, String(value(entry.worker))) }
            }
        }
        gauge("connections", "Connections open.", \.connections)
        gauge("connections_max", "Connections that may be open.", \.connectionsMax)
        gauge("buffers", "Buffers that there are.", \.buffers)
        gauge("buffers_free", "Buffers that hold nothing.", \.buffersFree)
        gauge("accept_paused", "Whether accepting pauses for want of something.") {
            $0.acceptPause == nil ? 0 : 1
        }
        for metric in CounterMetric.all {
            let path = metric.path
            page.counter("ringback_" + metric.name, metric.help) { family in
                for entry in workers {
                    family.add(entry.labels, metric.text(entry.worker.counters[keyPath: path]))
                }
            }
        }
        page.counter("ringback_connections_closed_total", "Connections, by how they ended.") {
            family in
            for entry in workers {
                for (termination, undelivered) in Termination.cells {
                    let labels = [
                        Label("termination", termination.name),
                        Label("undelivered", String(undelivered)),
                    ]
                    let count = entry.worker.counters.terminations[
                        termination,
                        undelivered: undelivered
                    ]
                    family.add(entry.labels + labels, String(count))
                }
            }
        }
    }

    private static func addServices(_ services: [ServiceReading], to page: inout Exposition) {
        page.gauge("ringback_listeners", "Addresses listened on.") { family in
            for service in services {
                family.add([Label("service", service.name)], String(service.addresses.count))
            }
        }
        for kind in [ServiceKind.echo, .relay] {
            let ofKind = services.filter { $0.kind == kind }
            addCounts(
                ofKind.map { ([Label("service", $0.name)], $0.counts) },
                prefix: kind.rawValue,
                to: &page
            )
        }
    }

    private static func addUpstreams(_ services: [ServiceReading], to page: inout Exposition) {
        let upstreams = services.flatMap { service in
            service.upstreams.map { upstream in
                (
                    [Label("service", service.name), Label("upstream", upstream.target)],
                    upstream
                )
            }
        }
        guard !upstreams.isEmpty else { return }
        page.gauge("ringback_upstream_up", "Whether the upstream is given connections.") {
            for (labels, upstream) in upstreams { $0.add(labels, upstream.isUp ? "1" : "0") }
        }
        page.gauge("ringback_upstream_connections", "Connections to the upstream open.") {
            for (labels, upstream) in upstreams { $0.add(labels, String(upstream.connections)) }
        }
        addCounts(upstreams.map { ($0, $1.counts) }, prefix: "upstream", to: &page)
    }

    /// Counts of several owners: a family for each name, in the order in which they first come.
    private static func addCounts(
        _ owners: [(labels: [Label], counts: [NamedCount])],
        prefix: String,
        to page: inout Exposition
    ) {
        var names: [String] = []
        for count in owners.flatMap(\.counts) where !names.contains(count.name) {
            names.append(count.name)
        }
        for name in names {
            let words = name.split(separator: "_").joined(separator: " ")
            page.counter("ringback_\(prefix)_\(name)_total", "Of the \(prefix): \(words).") {
                for owner in owners {
                    for count in owner.counts where count.name == name {
                        $0.add(owner.labels, String(count.value))
                    }
                }
            }
        }
    }
}

extension CounterMetric {
    /// A value of the count in the base unit.
    func text(_ value: UInt64) -> String {
        switch unit {
        case .one: String(value)
        case .nanoseconds: String(Double(value) / 1e9)
        }
    }
}

/// A label of a sample.
struct Label {
    let name: String
    let value: String

    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// `name="value"`, with what the format gives a meaning escaped.
    var text: String {
        var text = name + "=\""
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text + "\""
    }
}

/// A page of metrics that is being written: all samples of a name stand together, below what it is.
struct Exposition {
    private(set) var text = ""

    /// The samples of one name.
    struct Family {
        let name: String
        fileprivate(set) var lines = ""

        mutating func add(_ labels: [Label], _ value: String) {
            let list = labels.map(\.text).joined(separator: ",")
            lines += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
        }
    }

    mutating func gauge(_ name: String, _ help: String, _ fill: (inout Family) -> Void) {
        add(name, "gauge", help, fill)
    }

    mutating func counter(_ name: String, _ help: String, _ fill: (inout Family) -> Void) {
        add(name, "counter", help, fill)
    }

    private mutating func add(
        _ name: String,
        _ type: String,
        _ help: String,
        _ fill: (inout Family) -> Void
    ) {
        var family = Family(name: name)
        fill(&family)
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n" + family.lines
    }
}
