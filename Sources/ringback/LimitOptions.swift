// The relay's limits on bytes in a second. Those on connections are every service's, in
// ServiceOptions.swift.

import ArgumentParser
import Engine
import Options
import Relay

/// `--max-rate`, `--max-rate-per-ip`.
struct LimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Bytes passed on in a second, both ways together; 0 for any number.",
            valueName: "size"
        )
    )
    var maxRate = ByteSize(bytes: 0)

    @Option(
        help: ArgumentHelp(
            "The same for the connections of one address, of IPv6 one /64; 0 for any number.",
            valueName: "size"
        )
    )
    var maxRatePerIp = ByteSize(bytes: 0)

    func apply(to relay: inout RelayPlan, _ plan: inout GroupPlan) throws {
        relay.rates = ByteRates(
            perSecond: maxRate.bytes,
            perSecondPerSource: maxRatePerIp.bytes,
            clientsMax: plan.workerCount * plan.limits.connectionsMax / plan.limits.slotsPerClient
        )
        guard relay.rates != nil else { return }
        // A multishot receive may bring as much as 32 buffers before it can be stopped, which at a
        // low rate would be bursts with long pauses between them; and what goes through pipes is
        // not seen.
        plan.usesMultishot = false
        plan.limits.pipeCount = 0
    }
}
