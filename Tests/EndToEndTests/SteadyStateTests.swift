// The steady state of the release server, watched from outside: no allocation, and no system call
// but the one that the loop is made of.

import Foundation
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct SteadyStateTests {
    /// Runs load and returns how many messages were echoed.
    private func load(_ server: Server, _ duration: String) throws -> Int {
        let ended = try Program.run(
            "ringload",
            "rr",
            server.address,
            "--duration",
            duration,
            "--warmup",
            "0",
            "--json",
            "-"
        )
        let report = try JSONSerialization.jsonObject(with: Data(ended.output.utf8))
        return (report as? [String: Any])?["messages"] as? Int ?? 0
    }

    /// The allocations of a thread so far.
    private func allocations(of thread: Int32, in file: String) throws -> UInt64 {
        let data = try Data(contentsOf: URL(filePath: file))
        let numbers = data.withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }
        for slot in 0..<(numbers.count / 2) where numbers[2 * slot] == UInt64(thread) {
            return numbers[2 * slot + 1]
        }
        return 0
    }

    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: Place.allocationCounter)),
        arguments: ["uring", "epoll"]
    )
    func allocatesNothing(_ backend: String) throws {
        let counts = TemporaryFile()
        let server = try Server(
            ["--backend", backend, "--workers", "1"],
            environment: [
                "LD_PRELOAD": Place.allocationCounter, "ALLOCATION_COUNTER_FILE": counts.path,
            ]
        )
        let thread = try server.workerThread()
        _ = try load(server, "200ms")
        let before = try allocations(of: thread, in: counts.path)
        #expect(before > 0, "the counter sees the worker's start")
        var messages = 0
        while messages < 100_000 { messages += try load(server, "1s") }
        #expect(try allocations(of: thread, in: counts.path) == before)
        #expect(try server.stop().status == 0)
    }

    @Test(arguments: [
        ("uring", ["io_uring_enter"]),
        ("epoll", ["epoll_wait", "epoll_pwait2", "recvfrom", "sendto"]),
    ])
    func makesOnlyTheLoopsOwnCalls(_ backend: String, _ allowed: [String]) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let load = try Program(["ringload", "rr", server.address, "--duration", "4s"])
        usleep(1_000_000)
        let trace = TemporaryFile()
        let strace = try Program(
            ["strace", "-qq", "-p", "\(try server.workerThread())", "-o", trace.path])
        usleep(1_500_000)
        // A tracer at work does not heed gentler signals; what it has written by then is enough.
        strace.signal(SIGKILL)
        _ = try strace.wait()
        #expect(try load.wait().status == 0)
        #expect(try server.stop().status == 0)
        let calls = trace.text.split(separator: "\n").map { $0.prefix { $0 != "(" } }
        #expect(calls.count > 100)
        // The first and the last line may be fragments.
        let strange = calls.dropFirst().dropLast().filter { !allowed.contains(String($0)) }
        #expect(Set(strange) == [])
    }
}
