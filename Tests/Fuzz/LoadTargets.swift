// What ringload reads beside the quantities that both programs know: its command line, and logs.

import Load
import Measure
import Net
import Options
import Report

@testable import ringload

func checkSizeDistribution(_ text: String) throws {
    guard let size = SizeDistribution(argument: text) else { return }
    try demand((1...SizeDistribution.bytesMax).contains(size.largest), "a size can be sent")
    let written = size.defaultValueDescription
    try demand(
        SizeDistribution(argument: written) == size,
        "'\(written)' is read as it was written"
    )
}

func checkRate(_ text: String) throws {
    guard let rate = Rate(argument: text) else { return }
    try demand(rate.perSecond > 0 && rate.perSecond <= 1e9, "a rate has an interval")
}

func checkShare(_ text: String) throws {
    guard let share = Share(argument: text) else { return }
    try demand((0...1).contains(share.fraction), "a share is none to all")
}

func checkSourceList(_ text: String) throws {
    guard let list = SourceList(argument: text) else { return }
    for connections in [1, 1000] {
        let addresses = list.addresses(connections: connections)
        try demand(addresses.count >= list.prefixes.count, "each prefix has an address")
        try demand(Set(addresses).count <= addresses.count, "addresses can be told apart")
        try demand(addresses.allSatisfy { $0.port == 0 }, "the kernel chooses the ports")
    }
}

func checkGate(_ text: String) throws {
    guard let gate = Gate(text) else { return }
    try demand(!gate.limits.isEmpty, "a gate limits something")
    let written = gate.limits.map(\.text).joined(separator: ",")
    try demand(Gate(written) == gate, "'\(written)' is read as it was written")
}

func checkLatencyLimit(_ text: String) throws {
    guard let limit = LatencyLimit(text) else { return }
    try demand((50...100).contains(limit.percentile), "a limit is on a percentile")
    try demand(Gate(limit.text) != nil, "'\(limit.text)' is a gate")
}

func checkHistogramLog(_ text: String) throws {
    let log: HistogramLog
    do throws(HistogramLogError) {
        log = try HistogramLog(parsing: text, file: "log")
    } catch {
        return try demand(!error.cause.isEmpty, "a refusal says why")
    }
    let written = try? HistogramLog(parsing: log.text, file: "log")
    try demand(written?.intervals.count == log.intervals.count, "what is read can be written")
    let (sum, _) = HistogramLog.merging([
        NamedHistogramLog(name: "a", log: log), NamedHistogramLog(name: "b", log: log),
    ])
    let counts = [sum, log].map { $0.intervals.reduce(UInt64(0)) { $0 &+ $1.latency.count } }
    try demand(counts[0] == 2 &* counts[1], "nothing is lost in a sum")
}
