// Runner: many runs in processes of their own, since a fault may well end in a trap, and the search
// for a shorter run that goes wrong as well.

import Engine
import Foundation
import Simulation
import Support

/// A run that went wrong.
struct Finding {
    let backend: Backend
    let seed: UInt64
    let what: String

    /// What repeats it.
    var command: String { "make simulate BACKEND=\(backend) SEED=\(seed)" }
}

/// Runs seeds in child processes.
struct Runner {
    let backend: Backend
    /// The bug bank's fault that is back.
    let fault: String?
    let stopsAtFirst: Bool
    private(set) var findings: [Finding] = []

    /// Seeds that a process runs one after another.
    private static let share: UInt64 = 500
    /// Failures after which it is clear that something is wrong.
    private static let findingsMax = 20
    /// Runs that may be spent on making one shorter.
    private static let attemptsMax = 400

    init(backend: Backend, fault: String?, stopsAtFirst: Bool) {
        self.backend = backend
        self.fault = fault
        self.stopsAtFirst = stopsAtFirst
    }

    private var options: [String] {
        ["--backend", "\(backend)"] + (fault.map { ["--fault", $0] } ?? [])
            + (stopsAtFirst ? ["--first"] : [])
    }

    private var isOver: Bool { findings.count >= (stopsAtFirst ? 1 : Runner.findingsMax) }

    private func start(_ arguments: [String]) throws -> Program {
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return try Program(
            [path] + arguments + options,
            environment: ["SWIFT_BACKTRACE": "enable=no"]
        )
    }

    /// Runs seeds, several processes at once.
    mutating func run(from first: UInt64, count: UInt64, jobs: Int) throws {
        var next = first
        while next < first + count, !isOver {
            var running: [(program: Program, seeds: Range<UInt64>)] = []
            for _ in 0..<jobs where next < first + count {
                let seeds = next..<min(next + Runner.share, first + count)
                running.append((try start(seeds), seeds))
                next = seeds.upperBound
            }
            for (program, seeds) in running { try collect(program, seeds) }
        }
    }

    private func start(_ seeds: Range<UInt64>) throws -> Program {
        try start(["--reports-each", "--from", "\(seeds.lowerBound)", "--seeds", "\(seeds.count)"])
    }

    /// Takes in what came of some seeds. Where the process died, another goes on after the seed
    /// that it died of.
    private mutating func collect(_ program: Program, _ seeds: Range<UInt64>) throws {
        let ended = try program.wait(seconds: 3600)
        var next = seeds.lowerBound
        for line in ended.output.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            next = (UInt64(parts[0]) ?? next) + 1
            if parts.count == 2 {
                note(next - 1, String(parts[1]))
            }
        }
        guard next < seeds.upperBound, ended.status != 0 else { return }
        let said = ended.errorLines.first { $0.contains(".swift:") } ?? ""
        note(next, "died with status \(ended.status) \(said)")
        let rest = next + 1..<seeds.upperBound
        if !rest.isEmpty, !isOver { try collect(start(rest), rest) }
    }

    private mutating func note(_ seed: UInt64, _ what: String) {
        findings.append(Finding(backend: backend, seed: seed, what: what))
    }

    /// Leaves out as many operations of a run as possible such that it still goes wrong.
    func shorten(_ finding: Finding) throws -> Places {
        var left = Array(Plan(seed: finding.seed, backend: backend).operations.indices)
        let all = Set(left)
        var attempts = 0
        var size = left.count / 2
        while size > 0 {
            var place = 0
            while place < left.count, attempts < Runner.attemptsMax {
                attempts += 1
                var fewer = left
                fewer.removeSubrange(place..<min(place + size, left.count))
                if try fails(finding.seed, without: all.subtracting(fewer)) {
                    left = fewer
                } else {
                    place += size
                }
            }
            size /= 2
        }
        return Places(all.subtracting(left))
    }

    private func fails(_ seed: UInt64, without places: Set<Int>) throws -> Bool {
        let arguments = ["--seed", "\(seed)", "--drop", "\(Places(places))"]
        return try start(arguments).wait(seconds: 60).status != 0
    }
}
