// ringload: the load generator's command line.

import ArgumentParser
import Options

@main
struct Ringload: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ringload",
        abstract: "Measures TCP echo servers, and checks that they do what they should.",
        version: "0.1.0",
        subcommands: [RequestResponseCommand.self, ConformCommand.self]
    )

    static func main() { CommandRunner.run(Ringload.self) }
}
