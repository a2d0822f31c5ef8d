// ringload search: the highest rate that a server keeps within a limit.

public import ArgumentParser
import Engine
import Load
import Measure
import Net
import Options
public import Report

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Find the highest rate at which a server keeps a limit on its latency.",
        discussion: """
            Examples:
              ringload search 127.0.0.1:8888 --slo p99=1ms
              ringload search 127.0.0.1:8888 --slo p99.9=5ms --from 10k --precision 2%
              ringload search 127.0.0.1:8888 --slo p99=1ms --report curve.html

            Rates are tried in an open loop, so that the time that requests wait for a stalled
            server counts. From --from on they double until the limit is broken; then the rate
            is bracketed, and both ends of the bracket are tried again before it is believed.

            Exit status: 0 found, 1 could not run or connections broke, 2 bad arguments,
            3 not even the first rate keeps the limit, 4 the load generator itself was the
            limit, 130 and 143 ended by a signal (what was found so far is reported).
            """
    )

    @OptionGroup var load: LoadOptions

    @Option(
        help: ArgumentHelp("The limit, such as p99=1ms; p50 to p99.99, max.", valueName: "limit")
    )
    var slo: LatencyLimit

    @Option(help: "The first rate.")
    var from = Rate(perSecond: 1000)

    @Option(help: "How narrow the bracket has to be.")
    var precision = Share(fraction: 0.05)

    @Option(help: "Request sizes: 64, 1-64k, log:1-64k, or with weights 64:9,16k:1.")
    var size = SizeDistribution.fixed(64)

    @Option(help: "How requests of a rate follow each other.")
    var spacing = Arrivals.Spacing.poisson

    @Option(help: "The server's process, to account for what it spends.")
    var serverPid: Int32?

    @Option(help: ArgumentHelp("Write the results as JSON; - is stdout.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write the results as one page with plots.", valueName: "file"))
    var report: String?

    func run() throws {
        guard load.count == nil else {
            throw Failure(.usage, "--count has no meaning for a search: use --duration")
        }
        guard (0.001...0.5).contains(precision.fraction) else {
            throw Failure(.usage, "--precision must be from 0.1% to 50%")
        }
        HeldSignals.stopping.block()
        var load = load
        load.duration = load.duration ?? .seconds(3)
        load.warmup = load.warmup ?? TimeSpan(nanoseconds: 500_000_000)
        var (plan, explanation) = try load.makePlan()
        plan.size = size
        let manifest = Manifest.current(command: CommandLine.arguments, version: Ringload.version)
        var progress = Progress()
        defer { progress.end() }
        var searching = Searching(limit: slo, first: from.perSecond, precision: precision.fraction)
        while let rate = searching.next {
            plan.arrivals = .open(perSecond: rate, spacing)
            let outcome = try measure(plan, &progress)
            let run = RunReport(
                plan,
                outcome,
                manifest: manifest,
                targets: load.targets,
                backendExplanation: explanation
            )
            if let signal = outcome.signal {
                searching.end(by: signal)
            } else {
                try judge(run)
                searching.add(rate, run)
            }
        }
        progress.end()
        try finish(searching, manifest)
    }

    private func measure(_ plan: LoadPlan, _ progress: inout Progress) throws -> LoadOutcome {
        var shown = progress
        defer { progress = shown }
        do throws(StartFailure) {
            return try LoadRun(plan, server: serverPid).run { interval, _ in shown.show(interval) }
        } catch {
            throw Failure(.couldNotRun, error.explanation)
        }
    }

    /// Whether a step can be used at all.
    private func judge(_ run: RunReport) throws {
        guard run.connectLatency.count > 0 else {
            let names = load.targets.joined(separator: ", ")
            throw Failure(.couldNotRun, "no connection to \(names) could be made")
        }
        guard run.errors.total == run.errors.timedOut + run.errors.unanswered else {
            throw Failure(.couldNotRun, "connections broke: \(run.errors.text)")
        }
    }

    private func finish(_ searching: Searching, _ manifest: Manifest) throws {
        let result = searching.report(manifest)
        if json != "-" { print(TextReport.text(result)) }
        try reporting { () throws(ReportFileError) in
            if let json { try ReportFile.writeJSON(result, to: json) }
            if let report { try ReportFile.write(HTMLReport.page(result), to: report) }
        }
        switch searching.end {
        case .signal(let signal): throw Failure(ExitStatus(signal: signal))
        case .nothingKept: throw Failure(.gateBreached, result.answer)
        case .generatorLimit: throw Failure(.measurementInvalid, result.answer)
        case .found, nil: break
        }
    }
}

extension LatencyLimit: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
