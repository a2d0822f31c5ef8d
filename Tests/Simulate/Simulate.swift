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

    @Option(help: "Which kernel interface is played: uring, epoll, or both in turn.")
    var backend = Played.both

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
        var failed = false
        for backend in backend.backends {
            if let seed {
                failed = try !goesWell(seed, on: backend) || failed
            } else if reportsEach {
                try reportEach(on: backend)
            } else {
                failed = try !goWell(on: backend) || failed
            }
        }
        if failed { throw ExitCode.failure }
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
    private func goesWell(_ seed: UInt64, on backend: Backend) throws -> Bool {
        let plan = Plan(seed: seed, backend: backend).dropping(drop.numbers)
        say("\(backend) seed \(seed): \(plan.sizes)")
        for operation in plan.operations { say("  \(operation)") }
        Simulate.setAlarm()
        let outcome = try Simulation.run(plan)
        say("trace \(String(outcome.trace, radix: 16)), \(outcome.counters.turns) turns")
        say(outcome.failure ?? "nothing went wrong")
        return outcome.failure == nil
    }

    /// Many runs in this process, a line for each: what the process dies of is the next one's.
    private func reportEach(on backend: Backend) throws {
        for seed in from..<from + seeds {
            Simulate.setAlarm()
            let outcome = try Simulation.run(Plan(seed: seed, backend: backend))
            say("\(seed) \(outcome.failure ?? "")")
            if first, outcome.failure != nil { return }
        }
    }

    private func goWell(on backend: Backend) throws -> Bool {
        var runner = Runner(backend: backend, fault: fault, stopsAtFirst: first)
        let start = Clock.seconds
        try runner.run(from: from, count: seeds, jobs: max(1, jobs))
        let shortenedMax = first ? 0 : Simulate.shortenedMax
        for finding in runner.findings.prefix(shortenedMax) {
            let places = try runner.shorten(finding)
            say("FAILED \(finding.command) DROP=\(places)   # \(finding.what)")
        }
        for finding in runner.findings.dropFirst(shortenedMax) {
            say("FAILED \(finding.command)   # \(finding.what)")
        }
        let took = Clock.seconds - start
        say(
            "simulate backend=\(backend) seeds=\(seeds) from=\(from)"
                + " failed=\(runner.findings.count) seconds=\(took) fault=\(fault ?? "none")"
        )
        return runner.findings.isEmpty
    }

    /// A run that takes longer hangs.
    private static let secondsMax: UInt32 = 30

    /// Ends the process should a run hang. Who is started by a thread of a test inherits that the
    /// signal is blocked.
    private static func setAlarm() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGALRM)
        sigprocmask(SIG_UNBLOCK, &signals, nil)
        alarm(secondsMax)
    }

    /// Failures that are made shorter; more are only counted.
    private static let shortenedMax = 3
}

/// Prints a line at once: the process may die in the next moment.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(1, bytes, bytes.count)
}

/// The backends that are played.
enum Played: String, ExpressibleByArgument, CaseIterable {
    case uring
    case epoll
    case both

    var backends: [Backend] {
        switch self {
        case .uring: [.uring]
        case .epoll: [.epoll]
        case .both: [.uring, .epoll]
        }
    }
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
