// ringback: the server's command line.

import ArgumentParser
import Options

@main
struct Ringback: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "ringback",
        abstract: "A TCP echo and relay service on io_uring, with an epoll backend of equal rank.",
        version: version,
        subcommands: [
            EchoCommand.self, RelayCommand.self, ServeCommand.self, CheckCommand.self,
            ConfigCommand.self,
            DoctorCommand.self, TopCommand.self,
        ]
    )

    static func main() {
        CommandRunner.run(Ringback.self, completing: ServiceConfiguration.arguments)
    }
}
