// The options of the process by which it gives up what it does not need.

public import ArgumentParser
public import Confinement
import Options

extension MeasureChoice: ExpressibleByArgument {}

/// `--user`, `--seccomp`, `--landlock`, `--ring-restrictions`.
struct ConfinementOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Who to be once the sockets are bound, where root starts it: a user with its groups, or \
            with that group alone.
            """,
            valueName: "user[:group]"
        )
    )
    var user: String?

    @Option(
        help: """
            Refuse each thread the system calls that it does not need: auto where the kernel can.
            """
    )
    var seccomp: MeasureChoice = .auto

    @Option(
        help: """
            Refuse files and TCP ports that are not needed, to rings too: auto where the kernel can.
            """
    )
    var landlock: MeasureChoice = .auto

    @Option(help: "Refuse rings all that the service does not ask: auto where the kernel can.")
    var ringRestrictions: MeasureChoice = .auto

    /// What keeps the process from running, as far as it can be said without asking this host.
    var obstacles: [String] {
        user.flatMap(Identity.mistake(in:)).map { ["--user: \($0)"] } ?? []
    }

    /// All of them: others have other words.
    var words: [String] {
        [user ?? "", seccomp.rawValue, landlock.rawValue, ringRestrictions.rawValue]
    }

    /// Who the process is to become; nil for who it is.
    func identity() throws -> Identity? {
        guard let user else { return nil }
        let identity: Identity
        do throws(IdentityError) {
            identity = try Identity(parsing: user)
        } catch {
            throw Failure(.usage, "--user: \(error)")
        }
        guard !identity.isCurrent else { return nil }
        guard Identity.canChange else {
            throw Failure(
                .couldNotRun,
                "--user \(user): only root can become somebody else; start it as root, or leave "
                    + "--user out"
            )
        }
        return identity
    }
}
