// The examples of the README, "The library", which have to compile. A test compares the two.

import Engine
import EngineMetrics
import Net

/// Echoes one line, then ends the connection.
struct OneLine: Handler {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let last = bytes.unsafeLoad(fromByteOffset: bytes.byteCount - 1, as: UInt8.self)
        if last == UInt8(ascii: "\n") { effects.finish(connection) }
        return .echo
    }
}

func example() throws {
    HeldSignals.stopping.block()
    var plan = GroupPlan(backend: .uring, limits: Limits(connectionsMax: 1000))
    plan.listeners = [ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:8888"))]
    let group = try WorkerGroup(plan) { _ in OneLine() }
    let metrics = GroupMetrics(service: "lines", plan)
    metrics.publish(group)  // every few seconds, and once behind stop()
    _ = HeldSignals.stopping.wait()
    for counters in group.stop() { print("\(counters.bytesReceived) bytes received") }
}
