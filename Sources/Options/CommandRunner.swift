// How both executables run a command and how they end: one clear line on stderr, and an exit status
// that scripts can rely on.

public import ArgumentParser
import Glibc
import Logging

/// Exit statuses of both executables.
public enum ExitStatus: Int32, Sendable {
    case done = 0
    case couldNotRun = 1
    case usage = 2
    case gateBreached = 3
    case measurementInvalid = 4
    case payloadMismatch = 5
    case interrupted = 130
    case terminated = 143

    /// The status of a program that a signal ended.
    public init(signal: Int32) { self = signal == SIGINT ? .interrupted : .terminated }
}

/// A failure with the line to print and the status to end with.
public struct Failure: Error {
    /// The line, without the program's name.
    public let message: String
    /// The exit status.
    public let status: ExitStatus

    /// A failure that ends the program. `message` is empty where everything has been said.
    public init(_ status: ExitStatus, _ message: String = "") {
        self.status = status
        self.message = message
    }
}

/// Runs commands.
public enum CommandRunner {
    /// Parses the command line, runs the command, and ends the process.
    ///
    /// - Parameter complete: adds to the arguments what is said elsewhere.
    public static func run<Command: ParsableCommand>(
        _ type: Command.Type,
        completing complete: ([String]) throws -> [String] = { $0 }
    ) -> Never {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let name = type.configuration.commandName ?? "ringback"
        do {
            let arguments = try complete(Array(CommandLine.arguments.dropFirst()))
            var command = try type.parseAsRoot(arguments)
            try command.run()
            exit(ExitStatus.done.rawValue)
        } catch let failure as Failure {
            if !failure.message.isEmpty { say("\(name): \(failure.message)") }
            exit(failure.status.rawValue)
        } catch {
            guard type.exitCode(for: error) != .success else {
                print(type.fullMessage(for: error))
                exit(ExitStatus.done.rawValue)
            }
            let message = type.message(for: error).split(separator: "\n").joined(separator: " ")
            say("\(name): \(message) (see '\(name) --help')")
            exit(ExitStatus.usage.rawValue)
        }
    }

    /// Writes a line to stderr.
    public static func say(_ line: String) {
        let text = Array((line + "\n").utf8)
        _ = write(STDERR_FILENO, text, text.count)
    }
}
