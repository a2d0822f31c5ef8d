// ringback check: whether a configuration file would be taken, and every reason why not.

import ArgumentParser
import Configuration
import Options

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file, and say all that is wrong with it.",
        discussion: """
            Example:
              ringback check /etc/ringback.yaml && systemctl reload ringback

            What the environment says is part of it, as when the file is served. Nothing is bound,
            and no name is looked up, so no right is needed. docs/Configuration.md describes the
            file.

            Exit status: 0 it is in order, 2 it is not.
            """
    )

    @Argument(help: "The file.")
    var file: String

    func run() throws {
        do throws(ConfigurationRefused) {
            let found = try ServiceConfiguration(file: file)
            for warning in found.warnings + found.doubts {
                CommandRunner.say("ringback: \(warning)")
            }
            let count = found.services.count
            print("OK: \(count) \(count == 1 ? "service" : "services")")
        } catch {
            throw error.failure
        }
    }
}
