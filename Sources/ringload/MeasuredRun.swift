// MeasuredRun: a run of a plan as a user sees it: the line while it goes on, the results in every
// form that was asked for, and the exit status that says what they are worth.

import ArgumentParser
import Engine
import FoundationEssentials
import Load
import Measure
import Net
import Options
import Report

/// A run from its first line to its exit status.
struct MeasuredRun {
    /// What the help of every workload says of its end.
    static let exitStatuses = """
        Exit status: 0 done, 1 could not run or connections broke, 2 bad arguments,
        3 a --gate was breached, 4 the measurement is invalid, 5 payload mismatch,
        130 and 143 ended by a signal (the figures so far are still reported).
        """

    private var plan: LoadPlan
    private let targets: [String]
    private let options: ReportOptions
    private let explanation: String

    init(_ plan: LoadPlan, _ load: LoadOptions, _ options: ReportOptions, _ explanation: String) {
        self.plan = plan
        self.plan.countsSystemCalls = options.countSystemCalls
        targets = load.targets
        self.options = options
        self.explanation = explanation
    }

    func run() throws {
        HeldSignals.stopping.block()
        let manifest = Manifest.current(
            command: CommandLine.arguments,
            version: Ringload.version
        )
        // A file that cannot be written is told now, and not after the run.
        for path in [options.json, options.csv, options.report] { try touch(path) }
        let outcome = try measure(manifest)
        let report = RunReport(
            plan,
            outcome,
            manifest: manifest,
            targets: targets,
            backendExplanation: explanation
        )
        try write(report)
        try judge(report)
    }

    // ---- measuring ----

    private func measure(_ manifest: Manifest) throws -> LoadOutcome {
        var progress = Progress()
        let comments = ["Command: \(manifest.command.joined(separator: " "))"]
        let log = try options.hdr.map { try IntervalLog(path: $0, comments: comments) }
        defer { progress.end() }
        let outcome: LoadOutcome
        do throws(StartFailure) {
            outcome = try LoadRun(plan, server: options.serverPid).run { interval, isMeasured in
                progress.show(interval)
                if isMeasured { log?.append(interval) }
            }
        } catch {
            throw Failure(.couldNotRun, error.explanation)
        }
        if let failure = log?.failure { throw Failure(.couldNotRun, failure.description) }
        return outcome
    }

    // ---- reporting ----

    private func touch(_ path: String?) throws {
        guard let path, path != "-" else { return }
        try reporting { () throws(ReportFileError) in try ReportFile.write("", to: path) }
    }

    private func write(_ report: RunReport) throws {
        let usesStdout = [options.json, options.csv].contains("-")
        if !usesStdout { print(TextReport.text(report)) }
        try reporting { () throws(ReportFileError) in
            if let path = options.json { try ReportFile.writeJSON(report, to: path) }
            if let path = options.csv { try ReportFile.write(CSVReport.text(report), to: path) }
            if let path = options.report { try ReportFile.write(HTMLReport.page(report), to: path) }
        }
    }

    // ---- judging ----

    /// Ends with the status of the worst that befell the run.
    private func judge(_ report: RunReport) throws {
        if let signal = report.endedBySignal { throw Failure(ExitStatus(signal: signal)) }
        try judgeConnections(report)
        if !report.integrity.isClean {
            throw Failure(.payloadMismatch, report.integrity.firstFault ?? "bytes are wrong")
        }
        let gateTakesErrors = options.gate?.limits.contains { $0.concernsErrors } == true
        if report.errors.total > 0, !gateTakesErrors {
            throw Failure(.couldNotRun, "not every request was answered: \(report.errors.text)")
        }
        if report.messages == 0, report.errors.total == 0, report.plan.workload != "idle" {
            throw Failure(.couldNotRun, "nothing came back within the measured time")
        }
        if !report.audit.isValid, !options.ignoreAudit {
            throw Failure(.measurementInvalid, report.audit.verdict)
        }
        if let breaches = options.gate?.breaches(by: report), !breaches.isEmpty {
            throw Failure(
                .gateBreached,
                "the gate was breached: " + breaches.joined(separator: "; ")
            )
        }
    }

    private func judgeConnections(_ report: RunReport) throws {
        guard report.connectLatency.count == 0 else { return }
        let names = targets.joined(separator: ", ")
        let errors = report.errors
        if errors.refused > 0 {
            throw Failure(
                .couldNotRun,
                "\(names) refused every connection; is a server listening?"
            )
        }
        if errors.connectTimedOut > 0 {
            let time = Figures.duration(plan.timeoutNanoseconds)
            throw Failure(
                .couldNotRun,
                "\(names) did not answer a connect within \(time); is the address right, and does "
                    + "a firewall drop it?"
            )
        }
        throw Failure(.couldNotRun, "no connection to \(names) could be made")
    }

}

/// Passes on what is wrong with a file.
func reporting(_ body: () throws(ReportFileError) -> Void) throws {
    do throws(ReportFileError) { try body() } catch {
        throw Failure(.couldNotRun, error.description)
    }
}
