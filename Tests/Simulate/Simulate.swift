// simulate: plays seeds of the simulation. A run that goes wrong is made shorter, and printed as
// one line that repeats it.

import ArgumentParser
@_spi(Simulation) import Engine
import Glibc
import Simulation

@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the service on a model kernel that makes trouble.",
        discussion: "With --seed one run, otherwise many, each on the next seed."
    )

    @Option(help: "Run this seed alone.")
    var seed: UInt64?

    @Option(help: "Leave these operations of the seed out, as in 0-3,7.")
    var drop = Places()

    @Option(help: "The first of many seeds.")
    var from: UInt64 = 0

    @Option(help: "How many seeds.")
    var seeds: UInt64 = 20_000

    @Option(help: "Processes at once.")
    var jobs = 2

    @Option(help: "Put a fault of the bug bank back, such as F7. Debug builds only.")
    var fault: String?

    @Flag(help: "Stop at the first failure, and leave it as long as it is.")
    var first = false

    @Flag(help: .hidden)
    var reportsEach = false

    mutating func run() throws {
        try putBackFault()
        if let seed {
            try repeatOne(seed)
        } else if reportsEach {
            try reportEach()
        } else {
            try runMany()
        }
    }

    private func putBackFault() throws {
        guard let fault else { return }
        #if BUGBANK
            guard let known = KnownFault(rawValue: fault) else {
                throw ValidationError("no fault is called \(fault)")
            }
            KnownFault.reintroduced = known
        #else
            throw ValidationError("\(fault): this build has no bug bank")
        #endif
    }

    /// One run, with all that it consists of.
    private func repeatOne(_ seed: UInt64) throws {
        let plan = Plan(seed: seed).dropping(drop.numbers)
        say("seed \(seed): \(plan.sizes)")
        for operation in plan.operations { say("  \(operation)") }
        alarm(Simulate.secondsMax)
        let outcome = try Simulation.run(plan)
        say("trace \(String(outcome.trace, radix: 16)), \(outcome.counters.turns) turns")
        guard let failure = outcome.failure else { return say("nothing went wrong") }
        say(failure)
        throw ExitCode.failure
    }

    /// Many runs in this process, a line for each: what the process dies of is the next one's.
    private func reportEach() throws {
        for seed in from..<from + seeds {
            alarm(Simulate.secondsMax)
            let outcome = try Simulation.run(Plan(seed: seed))
            say("\(seed) \(outcome.failure ?? "")")
            if first, outcome.failure != nil { return }
        }
    }

    private func runMany() throws {
        var runner = Runner(fault: fault, stopsAtFirst: first)
        let start = Clock.seconds
        try runner.run(from: from, count: seeds, jobs: max(1, jobs))
        let shortenedMax = first ? 0 : Simulate.shortenedMax
        for finding in runner.findings.prefix(shortenedMax) {
            let places = try runner.shorten(finding)
            say("FAILED make simulate SEED=\(finding.seed) DROP=\(places)   # \(finding.what)")
        }
        let rest = runner.findings.dropFirst(shortenedMax)
        for finding in rest { say("FAILED make simulate SEED=\(finding.seed)   # \(finding.what)") }
        let took = Clock.seconds - start
        say(
            "simulate seeds=\(seeds) from=\(from) failed=\(runner.findings.count)"
                + " seconds=\(took) fault=\(fault ?? "none")"
        )
        if !runner.findings.isEmpty { throw ExitCode.failure }
    }

    /// A run that takes longer hangs.
    private static let secondsMax: UInt32 = 30
    /// Failures that are made shorter; more are only counted.
    private static let shortenedMax = 3
}

/// Prints a line at once: the process may die in the next moment.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(1, bytes, bytes.count)
}

enum Clock {
    static var seconds: Int { time(nil) }
}

/// Places in the list of operations, written as in `0-3,7`.
struct Places: ExpressibleByArgument, CustomStringConvertible {
    var numbers: Set<Int> = []

    init(_ numbers: Set<Int> = []) { self.numbers = numbers }

    init?(argument: String) {
        for part in argument.split(separator: ",") {
            let ends = part.split(separator: "-").map { Int($0) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil,
                first <= last
            else { return nil }
            numbers.formUnion(first...last)
        }
    }

    var description: String {
        var parts: [String] = []
        var rest = numbers.sorted()[...]
        while let first = rest.popFirst() {
            var last = first
            while rest.first == last + 1 { last = rest.removeFirst() }
            parts.append(first == last ? "\(first)" : "\(first)-\(last)")
        }
        return parts.joined(separator: ",")
    }

    var defaultValueDescription: String { "none" }
}
