// A server for the fault matrix: the release executable under a tracer that makes its calls fail.

import Foundation
import Net
import Support

/// The server of a cell, with its tracer.
final class FaultyServer {
    let program: Program
    private let tracer: Program?
    private var reader: Int32 = -1
    private let trace = TemporaryFile()
    private let folder = NSTemporaryDirectory() + "ringback-" + UUID().uuidString

    init(_ cell: FaultCell, skipping skipped: Int) throws {
        let command =
            ["ringback", "echo", "--listen", "127.0.0.1:0", "--backend", cell.row.backend]
            + ["--drain-timeout", "1s"] + cell.row.options
        if cell.row.beginsWithWorkers {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true
            )
            let pipe = folder + "/log"
            guard mkfifo(pipe, 0o600) == 0 else { throw FaultTrouble(description: "mkfifo") }
            let program = try Program(command + ["--access-log", pipe])
            self.program = program
            try FaultyServer.waitUntil { try FaultyServer.waitsForReader(program) }
            let injection = cell.injection(skipping: 0, log: trace.path)
            tracer = try Program(["strace"] + injection + ["-p", "\(program.identifier)"])
            try FaultyServer.waitUntil { try FaultyServer.isTraced(program) }
            // Reading it lets the server go on. Nobody else reads; it is far from full.
            reader = open(pipe, O_RDONLY | O_NONBLOCK)
        } else {
            let injection = cell.injection(skipping: skipped, log: trace.path)
            program = try Program(["strace", "-D", "--seccomp-bpf"] + injection + command)
            tracer = nil
        }
    }

    deinit {
        if reader >= 0 { close(reader) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Where it listens; nil where it ended before it did.
    func address() throws -> SocketAddress? {
        for _ in 0..<4000 {
            if let match = program.errorsSoFar.firstMatch(of: /echo on (127\.0\.0\.1:\d+) by/) {
                return try SocketAddress(parsing: String(match.1))
            }
            if hasEnded { return nil }
            usleep(2000)
        }
        throw FaultTrouble(description: "it neither listens nor ends")
    }

    var hasEnded: Bool { (try? program.wait(seconds: 0)) != nil }

    /// Waits for its end.
    func end() throws -> Ended {
        do {
            let ended = try program.wait(seconds: 8)
            _ = try tracer?.wait(seconds: 8)
            return ended
        } catch is Program.TimedOut {
            // A tracer that a busy program keeps busy listens to no other signal.
            tracer?.signal(SIGKILL)
            throw FaultTrouble(description: "it does not end: \(program.errorsSoFar)")
        }
    }

    /// How many of its calls were traced, and how many of these failed by the fault.
    var calls: (all: Int, injected: Int) {
        let lines = trace.text.split(separator: "\n")
        return (lines.count, lines.count { $0.hasSuffix("(INJECTED)") })
    }

    private static func waitUntil(_ isSo: () throws -> Bool) throws {
        for _ in 0..<2000 {
            if try isSo() { return }
            usleep(5000)
        }
        throw FaultTrouble(description: "it did not come to where its faults begin")
    }

    private static func about(_ program: Program, _ name: String) throws -> String {
        try String(contentsOfFile: "/proc/\(program.identifier)/\(name)", encoding: .utf8)
    }

    /// Whether it has come to the pipe. Where the kernel does not say in what a process waits, time
    /// has to do.
    private static func waitsForReader(_ program: Program) throws -> Bool {
        let place = try about(program, "wchan")
        if place == "0" { usleep(500_000) }
        return ["0", "fifo_open", "wait_for_partner"].contains(place)
    }

    private static func isTraced(_ program: Program) throws -> Bool {
        try !about(program, "status").contains("TracerPid:\t0")
    }
}
