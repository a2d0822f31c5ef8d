// ServiceConfiguration: the services of a file, with what the environment and the command line say
// of them, ready to be started; and the same environment for a service that is started without one.

import ArgumentParser
import Configuration
import FoundationEssentials
import Options

/// A command of a service.
enum ServiceCommand {
    case echo(EchoCommand)
    case relay(RelayCommand)

    /// The options that every service has.
    var server: ServerOptions {
        switch self {
        case .echo(let command): command.server
        case .relay(let command): command.server
        }
    }
}

/// A service that is to run beside others.
struct NamedService {
    let name: String
    let command: ServiceCommand
    /// The type, and the options that were set: the same make the same service.
    let arguments: [String]
}

/// The process and its services.
struct ServiceConfiguration {
    let process: ProcessOptions
    /// In the order of the file.
    let services: [NamedService]
    /// Lines for people, of what has no effect.
    let warnings: [String]

    /// Reads a file, and puts the environment and flags upon it. Nothing is opened or bound.
    ///
    /// - Parameter flags: each is for every service whose type has the option.
    init(
        file: String,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        flags: [String] = []
    ) throws(ConfigurationRefused) {
        self.init(
            try EffectiveConfiguration(
                .file(file),
                ServiceConfiguration.schema,
                environment: environment,
                flags: flags
            )
        )
    }

    /// What is in force, as commands.
    init(_ effective: EffectiveConfiguration) {
        process = effective.processOptions as? ProcessOptions ?? ProcessOptions()
        services = effective.services.compactMap { service in
            let command: ServiceCommand? =
                switch service.command {
                case let echo as EchoCommand: .echo(echo)
                case let relay as RelayCommand: .relay(relay)
                default: nil
                }
            return command.map {
                NamedService(
                    name: service.name,
                    command: $0,
                    arguments: [service.type.name] + service.settings.arguments
                )
            }
        }
        warnings = effective.warnings
    }
}

extension ServiceConfiguration {
    /// What a configuration of this program may consist of.
    static let schema = Schema(
        process: ProcessOptions.self,
        types: [
            ServiceType("echo", EchoCommand.self) { ($0 as? EchoCommand)?.obstacles ?? [] },
            ServiceType("relay", RelayCommand.self) { ($0 as? RelayCommand)?.obstacles ?? [] },
        ],
        variablePrefix: "RINGBACK_",
        foreignPrefixes: [
            // This repository's builds and tests.
            "RINGBACK_BINARIES", "RINGBACK_FUZZ", "RINGBACK_PAGES", "RINGBACK_SOAK",
            "RINGBACK_WITHOUT_LOAD",
            // What a process tells the one that succeeds it.
            "RINGBACK_SUCCEEDED_",
            // What Kubernetes tells every pod beside a Service that is called ringback.
            "RINGBACK_PORT", "RINGBACK_SERVICE_",
        ],
        judgeProcess: { ($0 as? ProcessOptions)?.obstacles ?? [] },
        judgeTogether: Obstacles.sharedAddresses
    )

    /// The program's arguments, with what the environment says of the service that they begin with.
    static func arguments(_ arguments: [String]) throws -> [String] {
        do throws(ConfigurationRefused) {
            let environment = ProcessInfo.processInfo.environment
            // Most environments say nothing, and the schema takes a moment to make.
            guard environment.keys.contains(where: { $0.hasPrefix("RINGBACK_") }) else {
                return arguments
            }
            let all = try schema.arguments(arguments, environment: environment)
            for warning in all.warnings { CommandRunner.say("ringback: \(warning)") }
            return all.arguments
        } catch {
            throw error.failure
        }
    }
}

extension ConfigurationRefused {
    /// Says every problem on stderr, as compilers do.
    /// - Returns: how the program is to end.
    var failure: Failure {
        for problem in problems { CommandRunner.say("\(problem)") }
        return Failure(.usage)
    }
}
