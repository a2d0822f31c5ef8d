// ringload: the load generator's command line.

import ArgumentParser
import Options

@main
struct Ringload: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ringload",
        abstract: "Measures TCP echo servers, and checks every byte if asked.",
        version: "0.1.0",
        subcommands: [RequestResponseCommand.self]
    )

    static func main() { CommandRunner.run(Ringload.self) }
}
