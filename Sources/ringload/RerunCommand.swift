// ringload rerun: a saved result's command once more, and what is different today.

import ArgumentParser
import Measure
import Options
import Report

struct RerunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun",
        abstract: "Run the command of a saved result again, and say what differs from then.",
        discussion: """
            Examples:
              ringload rr 127.0.0.1:8888 --json result.json
              ringload rerun result.json

            Each part of the circumstances that differs from those of the result (kernel,
            CPUs, settings) is warned of on stderr. Files that the command writes are written
            again. The exit status is that of the command.
            """
    )

    @Argument(help: ArgumentHelp("A result written by --json.", valueName: "file"))
    var result: String

    func run() throws {
        let run: RunReport
        do throws(ReportFileError) {
            run = try ReportFile.read(RunReport.self, from: result)
        } catch {
            throw Failure(.couldNotRun, error.description)
        }
        let today = Manifest.current(command: run.manifest.command, version: Ringload.version)
        for difference in today.differences(from: run.manifest) {
            CommandRunner.say("ringload: warning: \(difference)")
        }
        // Where a seed was not chosen it was drawn: the same one repeats sizes, keys and arrivals.
        var words = Array(run.manifest.command.dropFirst())
        if !words.contains("--seed") { words += ["--seed", "\(run.plan.seed)"] }
        CommandRunner.say("ringload: " + words.joined(separator: " "))
        var command = try Ringload.parseAsRoot(words)
        guard !(command is RerunCommand) else {
            throw Failure(.usage, "'\(result)' is of no command that measures")
        }
        try command.run()
    }
}
