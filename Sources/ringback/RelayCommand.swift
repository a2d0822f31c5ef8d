// ringback relay: the options of the relay, what may be wrong with them, and its start.

import Admin
import ArgumentParser
import Engine
import Net
import Options
import Relay

struct RelayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Pass connections on to upstreams, and their bytes both ways.",
        discussion: """
            Examples:
              ringback relay --listen 0.0.0.0:80 --to 10.0.0.1:8080
              ringback relay --to a:9000,weight=3 --to b:9000 --to c:9000,backup
              ringback relay --to db1:5432 --to db2:5432 --balance source-hash
              ringback relay --to 10.0.0.1:22 --allow 192.168.0.0/16 --access-log -
              ringback relay --to redis:6379 --check-interval 2s --check-send 'PING\\r\\n' \\
                --check-expect '+PONG'
              ringback relay --to web:80 --proxy-from 10.0.0.0/8 --proxy-to v2

            An upstream is host:port, with ,weight=N (1 to 256), ,backup (used when no other can
            be) and ,max-connections=N. Up to 64 of them.

            \(ServicePlan.stopping)
            """
    )

    @OptionGroup var server: ServerOptions

    @OptionGroup(title: "Upstreams")
    var upstreams: UpstreamChoice

    @OptionGroup(title: "Looking after upstreams")
    var checks: CheckChoice

    @OptionGroup(title: "Clients")
    var clients: ClientChoice

    @OptionGroup(title: "Limits")
    var limits: LimitOptions

    @OptionGroup(title: "Confinement")
    var confinement: ConfinementOptions

    func run() throws {
        try server.prepareProcess()
        var start = ProcessStart(confinement: confinement, servers: [server])
        start.upstreamPorts = upstreams.ports
        try Supervisor().run(start) { ProcessSettings(services: [try plan(name: "relay")]) }
    }

    /// The service that the options ask for.
    ///
    /// - Parameter arguments: what the options were parsed from.
    func plan(name: String, arguments: [String] = []) throws -> ServicePlan {
        let chosen = try server.backend.resolve()
        var group = try server.makePlan(chosen.backend, name: name, slotsEach: 2)
        group.listeners = try server.listeners()
        group.policy.connectNanoseconds = upstreams.connectTimeout.nanoseconds
        group.policy.finishesQuiet = false
        let check = try checks.check()
        let set = try upstreams.makeSet(listeners: group.listeners.map(\.address))
        let relay = try relayPlan(set, &group)

        let counters = RelayCounters()
        let slots = group.limits.connectionsMax
        var plan = ServicePlan(.relay, name: name, arguments: arguments, server, group, chosen) {
            (group) throws(StartFailure) in
            try WorkerGroup(group) { _ in
                RelayHandler(
                    relay,
                    counters: counters,
                    connectionsMax: slots,
                    seed: UInt64.random(in: 1...UInt64.max)
                )
            }
        }
        plan.purpose = " to " + set.upstreams.map(\.options.target).joined(separator: ", ")
        plan.ownCounts = { counters.fields.map { NamedCount($0.name, $0.value) } }
        plan.upstreams = set
        plan.describe = { UpstreamReport.describe($0, set) }
        plan.whileRunning = { [checks] group, beforeServing, logger in
            try checks.keep(
                set,
                check,
                listeners: group.addresses,
                group,
                beforeServing: beforeServing,
                logger
            )
        }
        return plan
    }

    /// What the relay is to do with its clients. Has the workers know their targets.
    private func relayPlan(_ set: UpstreamSet, _ group: inout GroupPlan) throws -> RelayPlan {
        var relay = RelayPlan(upstreams: set)
        relay.retries = upstreams.retries
        relay.failure = upstreams.onConnectFailure
        relay.access = try clients.access()
        relay.proxyFrom = try clients.proxies()
        relay.headerNanoseconds = clients.proxyTimeout.nanoseconds
        relay.proxyTo = upstreams.proxyTo
        try limits.apply(to: &relay, &group)
        group.targets = relay.targets
        return relay
    }
}
