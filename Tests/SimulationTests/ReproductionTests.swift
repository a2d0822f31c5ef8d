// Whether a printed line can be relied on. A fault is put back, `simulate` finds a seed that goes
// wrong and makes it shorter, and what it printed is run ten times, each in a process of its own:
// ten times the same steps, the same end and the same trace of everything that happened.

@_spi(Simulation) import Engine
import Support
import Testing

/// What `simulate` prints of a run that went wrong.
private struct PrintedLine {
    let seed: String
    let drop: String
    let what: String

    init?(in output: String) {
        let line = /FAILED make simulate BACKEND=uring SEED=(\d+)(?: DROP=([\d,-]*))? *# ([^\n]*)/
        guard let match = output.firstMatch(of: line) else { return nil }
        (seed, drop, what) = (String(match.1), match.2.map { String($0) } ?? "", String(match.3))
    }

    var options: [String] { ["--seed", seed] + (drop.isEmpty ? [] : ["--drop", drop]) }
}

/// What came of a run of one seed.
private struct Repetition: Hashable {
    let status: Int32
    /// The sizes, the operations, and what went wrong; the trace where it did not die.
    let output: String
    /// Where it died.
    let place: String

    init(_ ended: Ended) {
        status = ended.status
        output = ended.output
        place = ended.errorLines.first { $0.contains(".swift:") }.map { String($0) } ?? ""
    }

    var operationCount: Int { output.split(separator: "\n").count { $0.hasPrefix("  ") } }
}

@Suite(.serialized)
struct ReproductionTests {
    private func simulate(_ fault: KnownFault, _ options: [String]) throws -> Ended {
        try Program(
            [Built.path("simulate"), "--backend", "uring", "--fault", fault.rawValue] + options,
            environment: ["SWIFT_BACKTRACE": "enable=no"]
        ).wait(seconds: 300)
    }

    /// Ten runs of a line, which have to be alike.
    private func repeated(_ fault: KnownFault, _ line: PrintedLine) throws -> Repetition {
        let runs = try (0..<10).map { _ in Repetition(try simulate(fault, line.options)) }
        #expect(Set(runs).count == 1)
        #expect(runs[0].status != 0)
        return runs[0]
    }

    /// One fault ends in a complaint of the simulation, the other in a trap of the engine.
    @Test(arguments: [KnownFault.shortSendsMissed, .sendsOverlap])
    func aPrintedLineRepeatsTenTimesOfTen(_ fault: KnownFault) throws {
        let found = try simulate(fault, ["--first", "--seeds", "500"])
        let line = try #require(PrintedLine(in: found.output), "\(found.output)")
        let run = try repeated(fault, line)
        if run.place.isEmpty {
            #expect(run.output.hasSuffix("\n\(line.what)\n"))
            #expect(run.output.contains("trace "))
        } else {
            #expect(line.what.hasSuffix(run.place))
        }

        let shortened = try simulate(fault, ["--from", line.seed, "--seeds", "1"])
        let shorter = try #require(PrintedLine(in: shortened.output), "\(shortened.output)")
        #expect(shorter.seed == line.seed)
        let shorterRun = try repeated(fault, shorter)
        #expect(shorterRun.operationCount < run.operationCount)
        print(
            "reproduction: \(fault.rawValue) SEED=\(shorter.seed) DROP=\(shorter.drop) 10 of 10:"
                + " \(run.operationCount) operations, then \(shorterRun.operationCount)"
        )
    }
}
