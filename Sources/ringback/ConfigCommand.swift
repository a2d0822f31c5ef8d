// ringback config: what is in force, and where each setting comes from, as a file that brings it
// about again.

import ArgumentParser
import Configuration
import FoundationEssentials
import Options

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Write the settings that are in force as a configuration file.",
        discussion: """
            Examples:
              ringback config relay --to 10.0.0.1:80 > ringback.yaml
              ringback config --config ringback.yaml
              ringback config --config ringback.yaml echo --idle-timeout 5m
              ringback config --json --config ringback.yaml | jq '.services[].name'

            The first makes a file of a command line. Behind a file, `echo` or `relay` and flags say
            what else its services of that type are to have. A comment tells where each setting
            comes from.

            Exit status: 0 done, 2 something is wrong with the settings.
            """
    )

    @Option(help: ArgumentHelp("The file that is served.", valueName: "file"))
    var config: String?

    @Flag(help: "Write JSON instead.")
    var json = false

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("echo or relay, and their options.", valueName: "service")
    )
    var service: [String] = []

    func run() throws {
        let type = service.first
        guard
            let source = config.map(EffectiveConfiguration.Source.file) ?? type.map({ .single($0) })
        else { throw Failure(.usage, "--config FILE is missing, or echo or relay") }
        if let type, ServiceConfiguration.schema.type(type) == nil {
            throw Failure(.usage, "'\(type)' is no type of service: it is echo or relay")
        }
        do throws(ConfigurationRefused) {
            let effective = try EffectiveConfiguration(
                source,
                ServiceConfiguration.schema,
                environment: ProcessInfo.processInfo.environment,
                flags: Array(service.dropFirst()),
                for: type
            )
            for warning in effective.warnings { CommandRunner.say("ringback: \(warning)") }
            print(json ? effective.json : effective.yaml, terminator: "")
        } catch {
            throw error.failure
        }
    }
}
