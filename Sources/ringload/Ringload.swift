// ringload: the load generator's command line.

import ArgumentParser
import Options

@main
struct Ringload: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "ringload",
        abstract: "Measures TCP echo servers, and checks that they do what they should.",
        version: version,
        subcommands: [
            RequestResponseCommand.self, ConnectCommand.self, StreamCommand.self, IdleCommand.self,
            CompareCommand.self, SearchCommand.self, MergeCommand.self, RerunCommand.self,
            ConformCommand.self,
        ]
    )

    static func main() { CommandRunner.run(Ringload.self) }
}
