// What ringload reads of its command line beside the quantities that both programs know.

import Load
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
