// LoadReport: the figures of a run, for people and for machines. The keys of the JSON form carry
// their units and are documented in the README.

import Engine
import FoundationEssentials
import Load
import Measure
import Options

/// What a run reports.
struct LoadReport: Codable {
    let target: String
    let connections: Int
    let sizeBytesSmallest: Int
    let sizeBytesLargest: Int
    let depth: Int
    let workers: Int
    let backend: String
    let seed: UInt64
    let windowNanoseconds: UInt64
    let messages: UInt64
    let messagesPerSecond: Double
    let bytesPerSecond: Double
    let latency: LatencySummary
    let connectLatency: LatencySummary
    let longestSilenceNanoseconds: UInt64
    let errors: LoadErrors
    let integrity: Integrity
    let clientNanosecondsPerMessage: Double?
    let serverNanosecondsPerMessage: Double?

    enum CodingKeys: String, CodingKey {
        case target, connections
        case sizeBytesSmallest = "size_bytes_smallest"
        case sizeBytesLargest = "size_bytes_largest"
        case depth, workers, backend, seed
        case windowNanoseconds = "window_ns"
        case messages
        case messagesPerSecond = "messages_per_second"
        case bytesPerSecond = "bytes_per_second"
        case latency = "latency_ns"
        case connectLatency = "connect_latency_ns"
        case longestSilenceNanoseconds = "longest_silence_ns"
        case errors, integrity
        case clientNanosecondsPerMessage = "client_cpu_ns_per_message"
        case serverNanosecondsPerMessage = "server_cpu_ns_per_message"
    }

    init(_ plan: LoadPlan, _ outcome: LoadOutcome, target: String) {
        self.target = target
        connections = plan.connections
        sizeBytesSmallest = plan.smallestSize
        sizeBytesLargest = plan.largestSize
        depth = plan.depth
        workers = plan.workerCount
        backend = plan.backend.rawValue
        seed = plan.seed
        windowNanoseconds = outcome.windowNanoseconds
        messages = outcome.result.messages
        let seconds = max(Double(outcome.windowNanoseconds) / 1e9, 1e-9)
        messagesPerSecond = Double(outcome.result.messages) / seconds
        bytesPerSecond = Double(outcome.result.bytes) / seconds
        latency = LatencySummary(outcome.result.latency)
        connectLatency = LatencySummary(outcome.result.connectLatency)
        longestSilenceNanoseconds = outcome.result.longestSilenceNanoseconds
        errors = outcome.result.errors
        integrity = outcome.result.integrity
        func perMessage(_ nanoseconds: UInt64?) -> Double? {
            guard let nanoseconds, outcome.result.messages > 0 else { return nil }
            return Double(nanoseconds) / Double(outcome.result.messages)
        }
        clientNanosecondsPerMessage = perMessage(outcome.clientNanoseconds)
        serverNanosecondsPerMessage = perMessage(outcome.serverNanoseconds)
    }

    // ---- for people ----

    /// A few lines; the verdict on integrity stands beside the speed.
    func text(backend explanation: String, hasServer: Bool) -> String {
        var lines = [
            "\(target): \(connections) connections, "
                + "\(sizeText) bytes, depth \(depth), load on \(explanation)",
            "messages    \(messages) in \(decimal(Double(windowNanoseconds) / 1e9, 2)) s: "
                + "\(decimal(messagesPerSecond, 0)) per second, "
                + "\(decimal(bytesPerSecond / 1e6, 1)) MB/s",
            "latency     " + summaryText(latency),
            "connect     " + summaryText(connectLatency),
            "integrity   " + integrityText,
            "errors      " + errorText,
        ]
        if let cost = clientNanosecondsPerMessage {
            lines.append("client CPU  \(decimal(cost, 0)) ns per message")
        }
        if let cost = serverNanosecondsPerMessage {
            lines.append("server CPU  \(decimal(cost, 0)) ns per message")
        } else if hasServer {
            lines.append("server CPU  unknown: the process has ended")
        }
        return lines.joined(separator: "\n")
    }

    private var sizeText: String {
        sizeBytesSmallest == sizeBytesLargest
            ? "\(sizeBytesLargest)" : "\(sizeBytesSmallest) to \(sizeBytesLargest)"
    }

    private var integrityText: String {
        guard integrity.verifiedBytes > 0 || !integrity.isClean else {
            return "not checked (--verify checks every byte)"
        }
        let counts =
            "\(integrity.verifiedBytes) bytes right, lost=\(integrity.lost) "
            + "foreign=\(integrity.foreign) reordered=\(integrity.reordered) seed=\(seed)"
        return counts + (integrity.firstFault.map { "\n            first fault: \($0)" } ?? "")
    }

    private var errorText: String {
        guard errors.total > 0 else { return "none" }
        return "refused=\(errors.refused) connect_failed=\(errors.connectFailed) "
            + "reset=\(errors.reset) closed_early=\(errors.closedEarly) "
            + "unanswered=\(errors.unanswered)"
    }

    private func summaryText(_ summary: LatencySummary) -> String {
        func microseconds(_ value: UInt64) -> String { decimal(Double(value) / 1000, 1) }
        return "p50 \(microseconds(summary.p50))  p90 \(microseconds(summary.p90))  "
            + "p99 \(microseconds(summary.p99))  p99.9 \(microseconds(summary.p999))  "
            + "p99.99 \(microseconds(summary.p9999))  max \(microseconds(summary.max)) us"
    }

    private func decimal(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = UInt64((value * scale).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = String(scaled % UInt64(scale))
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return "\(scaled / UInt64(scale)).\(zeros)\(fraction)"
    }

    // ---- for machines ----

    /// Writes the report as one JSON object to a file, or to stdout for `-`.
    func writeJSON(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let data: Data
        do {
            data = try encoder.encode(self)
            if path == "-" {
                print(String(decoding: data, as: UTF8.self))
            } else {
                try data.write(to: URL(filePath: path))
            }
        } catch {
            throw Failure(.couldNotRun, "cannot write '\(path)': \(error)")
        }
    }
}
