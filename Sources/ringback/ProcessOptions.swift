// The settings of the process, of which there is one however many services it runs.

import Admin
import ArgumentParser
import Options

/// What a configuration file has at its top, beside its services.
struct ProcessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the process tells of its health and its counts, by HTTP.",
            valueName: "address"
        )
    )
    var admin: String?

    @OptionGroup(title: "Confinement")
    var confinement: ConfinementOptions

    /// What keeps the process from running, in lines that name the options concerned.
    var obstacles: [String] {
        Obstacles.lines { _ = try adminAddress() } + confinement.obstacles
    }

    /// Where that is.
    func adminAddress() throws -> AdminAddress? {
        do throws(AdminError) {
            return try admin.map { text throws(AdminError) in try AdminAddress(parsing: text) }
        } catch {
            throw Failure(.usage, "--admin: \(error)")
        }
    }
}
