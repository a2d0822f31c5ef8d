// ringback top: a process that runs, live, in the terminal.

import Admin
import ArgumentParser
import Glibc
import Net
import Options

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show a service that runs, live: connections, rates, each worker.",
        discussion: """
            Examples:
              ringback top                                      of 127.0.0.1:9090
              ringback top --admin unix:/run/ringback/admin.sock
              ringback top --once                               one table, for scripts

            It reads the admin endpoint (admin: in the file of `ringback serve`). Where stdout is a
            terminal the table stays in its place; elsewhere tables follow each other. Ctrl-C ends.

            Exit status: 0 done, 1 nothing to show.
            """
    )

    @Option(help: ArgumentHelp("The admin endpoint.", valueName: "address"))
    var admin = "127.0.0.1:9090"

    @Option(help: "How often to look.")
    var interval = TimeSpan.seconds(1)

    @Flag(help: "Look twice, show the rates between, and end.")
    var once = false

    func run() throws {
        guard (100_000_000...3600 * UInt64.nanosecondsPerSecond).contains(interval.nanoseconds)
        else { throw Failure(.usage, "--interval must be from 100ms to 1h") }
        HeldSignals.stopping.block()
        do throws(AdminError) {
            var table = LiveTable(try AdminAddress(parsing: admin))
            let screen = Screen(isLive: !once && isatty(STDOUT_FILENO) == 1)
            // There are no rates before the second look.
            var lines = try table.next()
            if !once { screen.show(lines) }
            while HeldSignals.stopping.wait(nanoseconds: interval.nanoseconds) == nil {
                lines = try table.next()
                screen.show(lines)
                if once { return }
            }
        } catch {
            throw Failure(.couldNotRun, "\(error)")
        }
    }
}

/// Where tables go.
private struct Screen {
    /// Whether each takes the place of the one before.
    let isLive: Bool

    func show(_ lines: [String]) {
        guard isLive else { return write(lines.joined(separator: "\n") + "\n\n") }
        // Home; each line up to its end, and all below the last, are wiped (ECMA-48).
        let text = lines.map { clipped($0) + "\u{1B}[K\n" }.joined()
        write("\u{1B}[H" + text + "\u{1B}[J")
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
    }

    /// A line that does not wrap.
    private func clipped(_ line: String) -> String {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return line
        }
        return String(line.prefix(Int(size.ws_col)))
    }
}
