// ringload conform: puts any TCP echo server through the conformance suite, from outside.

import ArgumentParser
import Conform
import FoundationEssentials
import Glibc
import Net
import Options

struct ConformCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conform",
        abstract: "Check from outside whether a TCP echo server does what it should.",
        discussion: """
            Examples:
              ringload conform 127.0.0.1:8888
              ringload conform localhost:7 --case half-close-4m --case churn
              ringload conform 127.0.0.1:8888 --junit conform.xml
              ringload conform --list

            The results are TAP version 14 on stdout.
            Exit status: 0 all passed, 1 could not run, 2 bad arguments, 3 a case failed,
            130 and 143 ended by a signal (between two cases).
            """
    )

    @Argument(help: ArgumentHelp("The server, such as 127.0.0.1:8888.", valueName: "host:port"))
    var target: String?

    @Option(
        name: .customLong("case"),
        help: ArgumentHelp("Run this case; may be given several times.", valueName: "name")
    )
    var names: [String] = []

    @Flag(help: "List the cases and end.")
    var list = false

    @Option(help: "How long a case may take, beside the waits that it is about.")
    var timeout = TimeSpan.seconds(5)

    @Option(help: ArgumentHelp("Write the results as JUnit XML.", valueName: "file"))
    var junit: String?

    @Option(help: "Decides the bytes that are sent; printed with the results.")
    var seed: UInt64?

    func run() throws {
        let cases = try chosenCases()
        if list {
            for test in cases { print("\(test.name)\t\(test.item)\t\(test.summary)") }
            return
        }
        guard let target else {
            throw Failure(.usage, "Missing expected argument '<host:port>'; or give --list")
        }
        guard timeout.nanoseconds > 0 else { throw Failure(.usage, "--timeout must be above 0") }
        HeldSignals.stopping.block()
        // As many as the widest case wants. Where the limit is lower, the case says so.
        try? DescriptorLimit.raise(to: min(1024, DescriptorLimit.current().hard))
        let key = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        var suite = try reachableSuite(target, key)
        // An empty file is no result, whatever comes between; a file that cannot be is told now.
        if let junit { try write("", to: junit) }
        say(TAP.header(cases.count))
        say("# \(target), seed \(key)")
        var results: [CaseResult] = []
        for (index, test) in cases.enumerated() {
            if let signal = HeldSignals.stopping.wait(nanoseconds: 0) {
                say("Bail out! ended by a signal")
                if let junit { try write(JUnit.document(results, target: target), to: junit) }
                throw Failure(ExitStatus(signal: signal))
            }
            progress("\(index + 1)/\(cases.count) \(test.name)")
            let result = suite.run(test)
            progress("")
            say(TAP.lines(result, number: index + 1))
            results.append(result)
        }
        if let junit { try write(JUnit.document(results, target: target), to: junit) }
        if results.contains(where: { $0.finding != nil }) { throw Failure(.gateBreached) }
    }

    private func chosenCases() throws -> [Case] {
        guard !names.isEmpty else { return Suite.cases }
        for name in names where !Suite.cases.contains(where: { $0.name == name }) {
            throw Failure(.usage, "--case '\(name)': there is no such case; --list names them")
        }
        return Suite.cases.filter { names.contains($0.name) }
    }

    /// A suite for the first of the target's addresses that somebody listens on.
    private func reachableSuite(_ target: String, _ key: UInt64) throws -> Suite {
        let (host, port): (String, UInt16)
        do {
            (host, port) = try SocketAddress.splitHostAndPort(target)
        } catch {
            throw Failure(.usage, "\(error)")
        }
        let addresses = SocketAddress.resolve(host: host, port: port)
        guard !addresses.isEmpty else {
            throw Failure(.couldNotRun, "the name '\(host)' does not resolve to an address")
        }
        var trouble = Trouble.refused
        for address in addresses {
            let suite = Suite(
                target: address,
                timeoutNanoseconds: timeout.nanoseconds,
                key: key
            )
            do throws(Trouble) {
                try suite.reach()
                return suite
            } catch {
                trouble = error
            }
        }
        throw Failure(
            .couldNotRun,
            trouble == .refused
                ? "\(target) refused the connection; is a server listening?"
                : "no connection to \(target) could be made: \(trouble.words)"
        )
    }

    private func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(filePath: path))
        } catch {
            throw Failure(.couldNotRun, "cannot write '\(path)': \(error)")
        }
    }

    /// A line of the report, at once: a pipe would hold it back otherwise.
    private func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    /// The case under way, for people who watch. It is overwritten by the next.
    private func progress(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        let line = Array("\r\u{1b}[K\(text)".utf8)
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }
}
