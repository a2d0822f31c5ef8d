// IntervalLog: the latencies of each second of a run, as an HdrHistogram log on disk. In an open
// loop those from the sending on stand beside the intended ones, under the tag `service`.

import Glibc
import Load
import Measure
import Net
import Options

/// The log of a run.
final class IntervalLog {
    private let writer: HistogramLogWriter
    /// What has to be added to a monotonic moment for nanoseconds since 1970.
    private let epoch: UInt64
    /// Why the log could not be written on, once that happened.
    private(set) var failure: HistogramLogError?

    /// Makes the file anew.
    init(path: String, comments: [String]) throws {
        let (now, monotonic) = (WallClock.nanoseconds, Clock.monotonicNanoseconds())
        epoch = now - monotonic
        do throws(HistogramLogError) {
            writer = try HistogramLogWriter(path: path, startNanoseconds: now, comments: comments)
        } catch {
            throw Failure(.couldNotRun, error.description)
        }
    }

    /// Appends an interval of the window.
    func append(_ interval: Interval) {
        guard failure == nil, interval.end > interval.start else { return }
        do throws(HistogramLogError) {
            try append(interval, interval.latency, tag: nil, totals(interval))
            if interval.serviceLatency.count > 0 {
                try append(interval, interval.serviceLatency, tag: "service", [:])
            }
        } catch {
            failure = error
        }
    }

    private func append(
        _ interval: Interval,
        _ latency: Latency,
        tag: String?,
        _ counters: [String: UInt64]
    ) throws(HistogramLogError) {
        try writer.append(
            HistogramInterval(
                startNanoseconds: epoch + interval.start,
                lengthNanoseconds: interval.nanoseconds,
                tag: tag,
                latency: latency,
                counters: counters
            )
        )
    }

    private func totals(_ interval: Interval) -> [String: UInt64] {
        [
            "messages": interval.messages,
            "bytes_received": interval.bytesReceived,
            "bytes_sent": interval.bytesSent,
            "connections_made": interval.connectionsMade,
            "dropped_slots": interval.droppedSlots,
            "errors": interval.errors.total,
        ]
    }
}
