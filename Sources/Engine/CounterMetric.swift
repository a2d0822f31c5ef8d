// CounterMetric: how each count of a worker is called where it is a metric, in which unit, and what
// it says: on /metrics of `ringback serve`, and for a program that embeds the engine. One table, in
// the order of that page; a test fails where a count is missing from it.

/// A count of a worker as a metric.
public struct CounterMetric: Sendable {
    /// What the count is in.
    public enum Unit: Sendable {
        /// It is a number of something.
        case one
        /// It is a time, which a metric has in seconds.
        case nanoseconds
    }

    /// The name of the count in `Counters.fields`.
    public let field: String
    /// The name of the metric behind `ringback_`, with its base unit and `_total`.
    public let name: String
    /// What it counts, in a sentence.
    public let help: String
    /// What the count is in; the metric is in the base unit.
    public var unit = Unit.one

    /// The counts that the matrix of terminations says with more detail.
    public static let saidByTerminations: Set<String> = ["closed"]

    /// All but those, in the order of the page.
    public static let all = [
        CounterMetric(
            field: "accepted",
            name: "connections_accepted_total",
            help: "Connections accepted."
        ),
        CounterMetric(
            field: "inherited",
            name: "connections_inherited_total",
            help: "Connections that another process had before, at an upgrade."
        ),
        CounterMetric(
            field: "connected",
            name: "connections_connected_total",
            help: "Connections made to somebody else."
        ),
        CounterMetric(
            field: "refused",
            name: "connections_refused_total",
            help: "Connections refused because their address had its share."
        ),
        CounterMetric(
            field: "accept_failures",
            name: "accept_failures_total",
            help: "Times that accepting failed for want of descriptors or memory."
        ),
        CounterMetric(
            field: "bytes_received",
            name: "received_bytes_total",
            help: "Bytes received."
        ),
        CounterMetric(field: "bytes_sent", name: "sent_bytes_total", help: "Bytes sent."),
        CounterMetric(
            field: "bytes_bypassed",
            name: "bypassed_bytes_total",
            help: "Bytes received that went through pipes, past the buffers."
        ),
        CounterMetric(
            field: "bytes_dropped",
            name: "dropped_bytes_total",
            help: "Bytes never sent because the connection broke."
        ),
        CounterMetric(
            field: "receives",
            name: "receives_total",
            help: "Receives that brought bytes: messages, where a message is not split."
        ),
        CounterMetric(field: "sends", name: "sends_total", help: "Sends that completed."),
        CounterMetric(
            field: "short_sends",
            name: "short_sends_total",
            help: "Sends that took less than they were given."
        ),
        CounterMetric(
            field: "bypasses",
            name: "bypasses_total",
            help: "Times that a connection began to go through pipes."
        ),
        CounterMetric(
            field: "turns",
            name: "turns_total",
            help: "Calls of io_uring_enter or epoll_wait."
        ),
        CounterMetric(
            field: "events",
            name: "events_total",
            help: "Events handled; by turns_total that is completions for each call."
        ),
        CounterMetric(
            field: "spin_hits",
            name: "spin_hits_total",
            help: "Times that looking for events before a sleep found some."
        ),
        CounterMetric(
            field: "spin_misses",
            name: "spin_misses_total",
            help: "Times that looking for events before a sleep found none."
        ),
        CounterMetric(
            field: "spin_ns",
            name: "spin_seconds_total",
            help: "Time spent looking for events that were not there.",
            unit: .nanoseconds
        ),
        CounterMetric(
            field: "starved",
            name: "starved_total",
            help: "Receives that ended because no buffer was free (ENOBUFS)."
        ),
        CounterMetric(
            field: "throttled",
            name: "throttled_total",
            help: "Times that reading stopped because the peer did not read."
        ),
        CounterMetric(
            field: "rearmed",
            name: "rearmed_total",
            help: "Multishot operations that ended and were asked for again."
        ),
        CounterMetric(
            field: "completion_overflows",
            name: "completion_overflows_total",
            help: "Turns in which the completion queue had overflowed."
        ),
        CounterMetric(
            field: "stale_completions",
            name: "stale_completions_total",
            help: "Completions of a former owner of a slot."
        ),
        CounterMetric(
            field: "interrupted_waits",
            name: "interrupted_waits_total",
            help: "Calls that the kernel answered with EINTR, EBUSY or EAGAIN."
        ),
        CounterMetric(
            field: "records_dropped",
            name: "records_dropped_total",
            help: "Records of connections that did not fit into the queue to the log."
        ),
    ]

    /// The count of this metric in a worker's counters.
    public var path: KeyPath<Counters, UInt64> {
        guard let path = Self.paths[field] else {
            preconditionFailure("the engine has no count '\(field)'")
        }
        return path
    }

    private nonisolated(unsafe) static let paths = Dictionary(
        uniqueKeysWithValues: Counters.fields.map { ($0.name, $0.path) }
    )
}
