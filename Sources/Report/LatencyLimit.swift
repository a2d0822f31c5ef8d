// LatencyLimit: a promise about latency, written as in `p99=1ms`.

/// A percentile, and how long it may be.
public struct LatencyLimit: Equatable, Sendable {
    private let gate: Gate
    /// From 0 to 100; `max` is 100.
    public let percentile: Double
    public let nanoseconds: UInt64
    /// As it was written, such as `p99<=1ms`.
    public let text: String

    /// Reads `p99=1ms`: `p50` to `p99.99` or `max`; nil where it is malformed.
    public init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        let names = ["p50", "p90", "p99", "p99.9", "p99.99", "max"]
        guard parts.count == 2, names.contains(String(parts[0])),
            let gate = Gate("\(parts[0])<=\(parts[1])"), gate.limits.count == 1
        else { return nil }
        self.gate = gate
        percentile = Double(parts[0].dropFirst()) ?? 100
        nanoseconds = UInt64(gate.limits[0].value)
        self.text = gate.limits[0].text
    }

    /// Whether a run kept it.
    public func isKept(by run: RunReport) -> Bool { gate.breaches(by: run).isEmpty }
}
