// ringload compare: two servers under the same load, in turn, and whether they differ.

import ArgumentParser
import Engine
import Load
import Measure
import Net
import Options
import Report

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Load two servers in turn, and say whether they differ and by how much.",
        discussion: """
            Examples:
              ringload compare 127.0.0.1:8888 127.0.0.1:8889 --pid-a 100 --pid-b 200
              ringload compare old.json new.json --fail-if-slower 5%
              ringload compare 127.0.0.1:1 127.0.0.1:2 --workload crr --pairs 30 --duration 2s

            A and B are measured in blocks in the order ABBA, so that what changes slowly
            strikes both. A server that is a file is started and ended here; the file is like
              {"target": "127.0.0.1:9001",
               "command": ["ringback", "echo", "--listen", "127.0.0.1:9001"]}
            What differs by chance alone is not called different: of a hundred comparisons of
            a server with itself, five at most find a difference.

            Exit status: 0 done, 1 could not run or connections broke, 2 bad arguments,
            3 slower than --fail-if-slower allows, 5 payload mismatch, 130 and 143 ended by a
            signal (what was measured is still compared).
            """
    )

    /// The workloads that can be compared.
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        case rr, crr, stream
    }

    @OptionGroup var load: LoadOptions
    @OptionGroup var requests: RequestOptions

    @Option(help: "What the connections do.")
    var workload = Kind.rr

    @Option(help: "Requests under way on each connection.")
    var depth = 1

    @Option(help: "How many blocks of each.")
    var pairs = 20

    @Option(help: "The process of A, to account for what it spends.")
    var pidA: Int32?

    @Option(help: "The process of B.")
    var pidB: Int32?

    @Option(
        help: ArgumentHelp(
            "Exit 3 where B is worse than A by more than this share, and not by chance.",
            valueName: "share"
        )
    )
    var failIfSlower: Share?

    @Option(help: ArgumentHelp("Write the results as JSON; - is stdout.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write the results as one page with plots.", valueName: "file"))
    var report: String?

    func run() throws {
        guard load.targets.count == 2 else {
            throw Failure(.usage, "two servers are compared, not \(load.targets.count)")
        }
        try check(pairs, "--pairs", 1...10_000)
        HeldSignals.stopping.block()
        let a = try ComparedServer(load.targets[0], process: pidA)
        let b = try ComparedServer(load.targets[1], process: pidB)
        var comparing = Comparing(
            a: try side(a),
            b: try side(b),
            manifest: Manifest.current(command: CommandLine.arguments, version: Ringload.version)
        )
        try comparing.measure(pairs: pairs)
        let result = try comparing.result()
        try write(result)
        try judge(comparing, result)
    }

    private func side(_ server: ComparedServer) throws -> Comparing.Side {
        var load = load
        load.targets = [server.target]
        load.duration = load.duration ?? .seconds(1)
        load.warmup = load.warmup ?? TimeSpan(nanoseconds: 200_000_000)
        var (plan, explanation) = try load.makePlan()
        try requests.apply(to: &plan, part: load.part)
        try check(depth, "--depth", 1...65536)
        plan.depth = depth
        switch workload {
        case .rr: break
        case .crr:
            plan.workload = .connectRequestClose
            plan.asksTCP = false
        case .stream: plan.workload = .stream(.both)
        }
        return Comparing.Side(server: server, plan: plan, explanation: explanation)
    }

    private func write(_ result: CompareReport) throws {
        if json != "-" { print(TextReport.text(result)) }
        try reporting { () throws(ReportFileError) in
            if let json { try ReportFile.writeJSON(result, to: json) }
            if let report { try ReportFile.write(HTMLReport.page(result), to: report) }
        }
    }

    private func judge(_ comparing: Comparing, _ result: CompareReport) throws {
        if let signal = comparing.signal { throw Failure(ExitStatus(signal: signal)) }
        for run in [result.runA, result.runB] {
            guard run.integrity.isClean else {
                throw Failure(.payloadMismatch, run.integrity.firstFault ?? "bytes are wrong")
            }
            guard run.errors.total == 0 else {
                throw Failure(.couldNotRun, "not every request was answered: \(run.errors.text)")
            }
        }
        guard let failIfSlower else { return }
        let worse = comparing.metricsWorse(byMoreThan: failIfSlower.fraction)
        guard worse.isEmpty else {
            let limit = failIfSlower.defaultValueDescription
            throw Failure(
                .gateBreached,
                "B is worse than A by more than \(limit): " + worse.joined(separator: "; ")
            )
        }
    }
}
