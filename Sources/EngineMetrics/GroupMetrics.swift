// GroupMetrics: the counts of a group of workers for a program that has a metrics system of its
// own. It tells swift-metrics what `ringback serve` says on /metrics, under the same names, labels
// and units, so that a dashboard for one is right for the other. The workers know nothing of it: it
// reads what they say of themselves when it is asked to.

public import CoreMetrics
public import Engine

/// A group of workers in swift-metrics.
///
/// Counters become counters (`ringback_receives_total`, in base units), and what is at present
/// becomes meters (`ringback_connections`, `ringback_buffers_free`). Each has the dimensions
/// `service`, `worker` (from 0) and `backend`. One thread at a time may use it.
public final class GroupMetrics {
    private var workers: [WorkerMetrics]

    /// Metrics of a group that has done nothing yet.
    ///
    /// - Parameters:
    ///   - service: what the group does, which tells it from others of the process.
    ///   - plan: what the group is made with.
    ///   - factory: where metrics go; that of `MetricsSystem` where none is named.
    public init(
        service: String,
        _ plan: GroupPlan,
        factory: any MetricsFactory = MetricsSystem.factory
    ) {
        workers = plan.backends.enumerated().map { number, backend in
            let dimensions = [
                ("service", service), ("worker", String(number)), ("backend", backend.rawValue),
            ]
            return WorkerMetrics(dimensions, factory)
        }
    }

    /// Publishes what the workers have done since the last time. Asking costs each of them a turn.
    ///
    /// After `stop` or `join` it publishes what they did to their end.
    ///
    /// - Parameters:
    ///   - group: the group of the plan.
    ///   - timeout: how long to wait for them, in nanoseconds; who does not answer in time is
    ///     published as it last was, and the rest of it the next time.
    public func publish(_ group: WorkerGroup, withinNanoseconds timeout: UInt64 = 100_000_000) {
        publish(group.snapshots(withinNanoseconds: timeout))
    }

    /// Publishes snapshots of the workers, in their order.
    func publish(_ snapshots: [WorkerSnapshot]) {
        precondition(snapshots.count == workers.count, "one snapshot for each worker of the plan")
        for (number, snapshot) in snapshots.enumerated() { workers[number].publish(snapshot) }
    }
}

/// The metrics of one worker, and what they have been told.
private struct WorkerMetrics {
    private let counters: [(metric: CounterMetric, publish: (UInt64) -> Void)]
    private let endings: [(termination: Termination, undelivered: Bool, counter: Counter)]
    private let connections: Meter
    private let buffersFree: Meter
    private var published = Counters()

    init(_ dimensions: [(String, String)], _ factory: any MetricsFactory) {
        counters = CounterMetric.all.map {
            ($0, WorkerMetrics.publisher(of: $0, dimensions, factory))
        }
        endings = Termination.cells.map { termination, undelivered in
            let cell = [
                ("termination", termination.name), ("undelivered", String(undelivered)),
            ]
            let counter = Counter(
                label: "ringback_connections_closed_total",
                dimensions: dimensions + cell,
                factory: factory
            )
            return (termination, undelivered, counter)
        }
        connections = Meter(
            label: "ringback_connections",
            dimensions: dimensions,
            factory: factory
        )
        buffersFree = Meter(
            label: "ringback_buffers_free",
            dimensions: dimensions,
            factory: factory
        )
    }

    /// What tells the factory's counter of so many more, in the base unit.
    private static func publisher(
        of metric: CounterMetric,
        _ dimensions: [(String, String)],
        _ factory: any MetricsFactory
    ) -> (UInt64) -> Void {
        let label = "ringback_" + metric.name
        switch metric.unit {
        case .one:
            let counter = Counter(label: label, dimensions: dimensions, factory: factory)
            return { counter.increment(by: Int64(clamping: $0)) }
        case .nanoseconds:
            let counter = FloatingPointCounter(
                label: label,
                dimensions: dimensions,
                factory: factory
            )
            return { counter.increment(by: Double($0) / 1e9) }
        }
    }

    mutating func publish(_ snapshot: WorkerSnapshot) {
        let now = snapshot.counters
        for (metric, publish) in counters {
            let grown = now[keyPath: metric.path] - published[keyPath: metric.path]
            if grown > 0 { publish(grown) }
        }
        for (termination, undelivered, counter) in endings {
            let grown =
                now.terminations[termination, undelivered: undelivered]
                - published.terminations[termination, undelivered: undelivered]
            if grown > 0 { counter.increment(by: Int64(clamping: grown)) }
        }
        connections.set(snapshot.connections)
        buffersFree.set(snapshot.buffersFree)
        published = now
    }
}
