// ringload merge: the logs of several machines as one. Histograms add up exactly, where percentiles
// cannot be merged at all.

import ArgumentParser
import Measure
import Options
import Report

struct MergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Add up the HdrHistogram logs of several machines, without loss.",
        discussion: """
            Examples:
              ringload merge a.hlog b.hlog
              ringload merge a.hlog b.hlog c.hlog --hdr all.hlog

            The logs are those of --hdr, or of any program that writes the format 1.3. Totals
            and percentiles of the sum are printed, and with --hdr the sum is written as a log.

            Exit status: 0 done, 1 a log could not be read or written, 2 bad arguments.
            """
    )

    @Argument(help: ArgumentHelp("The logs.", valueName: "log"))
    var logs: [String]

    @Option(help: ArgumentHelp("Write the sum as a log.", valueName: "file"))
    var hdr: String?

    func run() throws {
        do throws(HistogramLogError) {
            var named: [NamedHistogramLog] = []
            for path in logs {
                named.append(NamedHistogramLog(name: path, log: try HistogramLog(file: path)))
            }
            let (sum, warnings) = HistogramLog.merging(named)
            for warning in warnings { CommandRunner.say("ringload: warning: \(warning)") }
            if let hdr { try write(sum, to: hdr) }
            for line in lines(sum) { print(line) }
        } catch {
            throw Failure(.couldNotRun, error.description)
        }
    }

    private func write(_ log: HistogramLog, to path: String) throws(HistogramLogError) {
        let writer = try HistogramLogWriter(
            path: path,
            startNanoseconds: log.startNanoseconds,
            comments: log.comments
        )
        for interval in log.intervals { try writer.append(interval) }
    }

    private func lines(_ log: HistogramLog) -> [String] {
        var lines = ["\(logs.count) logs, \(log.intervals.count) intervals"]
        for tag in log.tags {
            guard let total = log.total(tag: tag) else { continue }
            lines += [""] + TextReport.lines(tag ?? "latency", LatencyReport(total.latency))
            for (name, count) in total.counters.sorted(by: { $0.key < $1.key }) {
                lines.append("\(name) \(Figures.count(count))")
            }
        }
        return lines
    }
}
