// The settings of the process, of which there is one however many services it runs.

import ArgumentParser
import Net

/// What a configuration file has at its top, beside its services.
struct ProcessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the process tells of its health and its counts, by HTTP.",
            valueName: "address"
        )
    )
    var admin: String?

    /// What keeps the process from running, in lines that name the options concerned.
    var obstacles: [String] {
        guard let admin else { return [] }
        return Obstacles.lines(prefix: "--admin: ") { _ = try SocketAddress(parsing: admin) }
    }
}
