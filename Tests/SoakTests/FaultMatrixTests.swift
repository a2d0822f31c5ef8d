// The fault matrix on the release server: every call that it makes, every error that a kernel or a
// policy may answer. Each cell serves exactly, or says what is wrong: no hang, no crash, no lost
// byte.

import Foundation
import Net
import Support
import Synchronization
import Testing

/// Takes cells one after another, on several threads: most of each is waiting.
private final class FaultLanes: Sendable {
    private let cells: [FaultCell]
    private let skipped: Int
    private let next = Atomic(0)
    private let verdicts: Mutex<[FaultVerdict?]>
    private let found = Mutex<[String]>([])

    init(_ cells: [FaultCell], skipping skipped: Int) {
        self.cells = cells
        self.skipped = skipped
        verdicts = Mutex(Array(repeating: nil, count: cells.count))
    }

    /// The verdict of each cell, or nil, and what was wrong there.
    func run() throws -> (verdicts: [FaultVerdict?], troubles: [String]) {
        let lanes = try (0..<2).map { _ in try Net.Thread(name: "lane") { self.work() } }
        for lane in lanes { lane.join() }
        return (verdicts.withLock { $0 }, found.withLock { $0 })
    }

    private func work() {
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < cells.count else { return }
            do {
                let verdict = try FaultRun(cells[index], skipping: skipped).verdict()
                verdicts.withLock { $0[index] = verdict }
            } catch {
                found.withLock { $0.append("\(cells[index]): \(error)") }
            }
        }
    }
}

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(10)))
struct FaultMatrixTests {
    /// How many calls of a kind are made before the program's own code runs.
    private func callsOfTheLoader(_ call: String) throws -> Int {
        let trace = TemporaryFile()
        _ = try Program.run(
            "strace",
            "-o",
            trace.path,
            "-e",
            "trace=\(call)",
            "ringback",
            "--version"
        )
        return trace.text.split(separator: "\n").count { $0.hasPrefix("\(call)(") }
    }

    @Test func everyCellServesExactlyOrSaysWhy() throws {
        let skipped = try ["mmap": callsOfTheLoader("mmap"), "close": callsOfTheLoader("close")]
        let start = Date()
        print("faults: each error at the first call and at every 7th; \(FaultVerdict.legend)")
        for row in FaultRow.all {
            let cells = FaultCell.all(of: row)
            let (verdicts, troubles) = try FaultLanes(cells, skipping: skipped[row.calls] ?? 0)
                .run()
            #expect(troubles == [])
            #expect(verdicts.contains { $0 != nil && $0 != .unreached }, "\(row): never reached")
            var line = row.description.padding(toLength: 24, withPad: " ", startingAt: 0)
            for (cell, verdict) in zip(cells, verdicts) {
                if cell.moment == .first { line += " \(cell.error) " }
                line.append(verdict?.rawValue ?? "!")
            }
            print("fault \(line)")
        }
        print("faults: all in \(Int(-start.timeIntervalSinceNow)) s")
    }

    /// A worker that starts maps a dozen times. Each may fail, also amidst the set-up of a ring.
    @Test(arguments: ["auto", "uring", "epoll"])
    func everyMappingOfAWorkerMayFail(_ backend: String) throws {
        let row = FaultRow(backend: backend, calls: "mmap", beginsWithWorkers: true)
        let cells = (1...15).map { FaultCell(row: row, error: "ENOMEM", moment: .only($0)) }
        let (verdicts, troubles) = try FaultLanes(cells, skipping: 0).run()
        #expect(troubles == [])
        #expect(verdicts.contains(.exits))
        let line = verdicts.map { String($0?.rawValue ?? "!") }.joined()
        print("fault \(row), ENOMEM at the first to the fifteenth: \(line)")
    }

    /// A policy that forbids accepting for good is met with pauses, and said so once.
    @Test(arguments: ["EPERM", "ENOSYS", "EBUSY", "EMFILE"])
    func pausesWhereAcceptingStaysForbidden(_ error: String) throws {
        let row = FaultRow(backend: "epoll", calls: "accept4", options: ["--workers", "1"])
        let cell = FaultCell(row: row, error: error, moment: .always)
        let server = try FaultyServer(cell, skipping: 0)
        let address = try #require(try server.address())
        let client = try TestClient(address, timeoutSeconds: 1)
        usleep(800_000)
        _ = consume client
        server.program.signal(SIGTERM)
        let ended = try server.end()
        #expect(ended.status == 0)
        #expect(ended.errors.split(separator: "accepting pauses: ").count == 2)
        #expect((2...50).contains(server.calls.injected), "\(server.calls)")
    }
}
