// ringback echo: the options of the echo service, and its start.

import Admin
import ArgumentParser
import Engine
import Options
import Services

struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Send back whatever arrives (RFC 862).",
        discussion: """
            Examples:
              ringback echo                                    then, elsewhere: nc 127.0.0.1 8888
              ringback echo --listen 0.0.0.0:7 --workers 4
              ringback echo --listen '[::]:8888'               IPv6 and IPv4 on one port
              ringback echo --idle-timeout 5m --access-log -
              ringback echo --backend epoll --max-connections 50000

            \(ServicePlan.stopping)
            """
    )

    @OptionGroup var server: ServerOptions

    @Flag(
        inversion: .prefixedNo,
        help: """
            At SIGUSR2, hand established connections to the new process too (not with \
            --registered-files).
            """
    )
    var handOverConnections = true

    @OptionGroup(title: "Confinement")
    var confinement: ConfinementOptions

    func run() throws {
        try server.prepareProcess()
        let start = ProcessStart(confinement: confinement, servers: [server])
        try Supervisor().run(start) { ProcessSettings(services: [try plan(name: "echo")]) }
    }

    /// The service that the options ask for.
    ///
    /// - Parameter arguments: what the options were parsed from.
    func plan(name: String, arguments: [String] = []) throws -> ServicePlan {
        let chosen = try server.backend.resolve()
        var group = try server.makePlan(chosen.backend, name: name)
        group.listeners = try server.listeners()
        var plan = ServicePlan(.echo, name: name, arguments: arguments, server, group, chosen) {
            (group) throws(StartFailure) in
            try WorkerGroup(group) { _ in EchoService() }
        }
        plan.handsOver = handOverConnections && !group.registersFiles
        return plan
    }
}
