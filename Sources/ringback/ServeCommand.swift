// ringback serve: the services of a configuration file in one process, and anew at SIGHUP.

import Admin
import ArgumentParser
import Configuration
import Engine
import FoundationEssentials
import Net
import Options

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the services of a configuration file.",
        discussion: """
            Examples:
              ringback serve --config /etc/ringback/ringback.yaml
              ringback serve --config ringback.yaml --idle-timeout 5m

            An option behind the file is for every service that has it, and counts for more than
            the environment (RINGBACK_IDLE_TIMEOUT), which counts for more than the file.
            `ringback check` says what is wrong with a file, `ringback config` what is in force.

            SIGHUP reads the file again. Services whose settings have changed go on with new
            workers, which take over the listeners, while the old ones keep their connections
            until they end; services that are gone take no more connections. Where something is
            wrong, everything stays as it was, and a line says what.

            \(ServicePlan.stopping)
            """
    )

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp("The file to serve.", valueName: "file")
    )
    var config: String

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("Options of the services.", valueName: "option")
    )
    var flags: [String] = []

    func run() throws {
        let first = try read()
        guard let server = first.services.first?.command.server else { return }
        try server.prepareProcess()
        var start = ProcessStart(
            confinement: first.process.confinement,
            servers: first.services.map(\.command.server)
        )
        start.configuration = config
        if case .local(let path)? = try first.process.adminAddress() { start.adminPath = path }
        let supervisor = Supervisor(reload: {
            let next = try read()
            if next.process.confinement.words != first.process.confinement.words {
                CommandRunner.say(
                    "ringback: user, seccomp, landlock and ring-restrictions stay as they were at "
                        + "the start; a restart changes them"
                )
            }
            return try settings(next)
        })
        try supervisor.run(start) { try settings(first) }
    }

    private func read() throws -> ServiceConfiguration {
        do throws(ConfigurationRefused) {
            let found = try ServiceConfiguration(file: config, flags: flags)
            for warning in found.warnings { CommandRunner.say("ringback: \(warning)") }
            return found
        } catch {
            throw error.failure
        }
    }

    private func settings(_ configuration: ServiceConfiguration) throws -> ProcessSettings {
        let plans = try configuration.services.map { service in
            do {
                return try service.plan()
            } catch let failure as Failure {
                throw Failure(failure.status, "service '\(service.name)': \(failure.message)")
            }
        }
        try DescriptorRoom.prepare(for: plans.map(\.descriptors))
        return ProcessSettings(services: plans, admin: try configuration.process.adminAddress())
    }
}

extension NamedService {
    /// The service as it is to run.
    fileprivate func plan() throws -> ServicePlan {
        switch command {
        case .echo(let echo): try echo.plan(name: name, arguments: arguments)
        case .relay(let relay): try relay.plan(name: name, arguments: arguments)
        }
    }
}
