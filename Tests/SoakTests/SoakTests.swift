// The long bars of the reliability table on the release binaries, one stable line each. `make
// test-slow` runs them at the length for CI, `make soak` at their full length.

import Foundation
import Net
import Support
import Testing

private let backends = ["uring", "epoll"]

/// How long a bar is: in CI `short`; where RINGBACK_SOAK is set, that share of `full`, and never
/// less than in CI.
func length(_ short: Int, full: Int) -> Int {
    guard let share = ProcessInfo.processInfo.environment["RINGBACK_SOAK"].flatMap(Double.init)
    else { return short }
    return max(short, Int(Double(full) * share))
}

/// A report of `ringload rr --json -`.
struct Report {
    private let values: [String: Any]

    init(_ text: String) throws {
        values = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }

    func number(_ keys: String...) -> Double {
        var value: Any? = values
        for key in keys { value = (value as? [String: Any])?[key] }
        return value as? Double ?? -1
    }

    /// What verification found, as the lines show it.
    var verdict: String {
        ["lost", "foreign", "reordered"]
            .map { "\($0)=\(Int(number("integrity", $0)))" }.joined(separator: " ")
    }

    var isExact: Bool { verdict == "lost=0 foreign=0 reordered=0" }
    var messages: Int { Int(number("messages")) }
}

@Suite(.serialized, .enabled(if: Place.hasBinaries))
struct SoakTests {
    private func load(_ server: Server, _ options: String...) throws -> Report {
        try Report(run(server, options).output)
    }

    private func run(_ server: Server, _ options: [String]) throws -> Ended {
        try Program(["ringload", "rr", server.address, "--json", "-", "--verify"] + options)
            .wait(seconds: 120)
    }

    private func target(_ server: Server) throws -> SocketAddress {
        try SocketAddress(parsing: server.address)
    }

    private func descriptorCount(_ server: Server) throws -> Int {
        try FileManager.default
            .contentsOfDirectory(atPath: "/proc/\(server.program.identifier)/fd").count
    }

    /// R1: keyed integrity under half-closes and resets, for pools that are ample, scarce and tiny.
    @Test(arguments: backends, ["normal", "pool-of-8", "16-byte-buffers"])
    func keyedIntegrity(_ backend: String, _ pool: String) throws {
        let settings = [
            "normal": ([], 3_600_000), "pool-of-8": (["--buffers", "8"], 1_000_000),
            "16-byte-buffers": (["--buffers", "8192", "--buffer-bytes", "16"], 400_000),
        ]
        let (options, short) = try #require(settings[pool])
        let wanted = length(short, full: 100 * short)
        let server = try Server(["--backend", backend, "--workers", "1"] + options)
        let resetting = try resetter(target(server))
        var (messages, rounds) = (0, 0)
        while messages < wanted, rounds < wanted / 20_000 {
            let report = try load(
                server,
                "--connections",
                "512",
                "--size",
                "1-400",
                "--depth",
                "8",
                "--warmup",
                "0",
                "--duration",
                "4s",
                "--half-close"
            )
            #expect(report.isExact, "\(report.verdict)")
            messages += report.messages
            rounds += 1
            print(
                "R1 backend=\(backend) pool=\(pool) messages=\(messages) connections=512 "
                    + "\(report.verdict) seed=\(Int(report.number("plan", "seed")))"
            )
        }
        #expect(messages >= wanted)
        resetting.stop()
        #expect(try server.stop().status == 0)
    }

    /// Clients that reset their connections in the middle, until they are stopped.
    private func resetter(_ target: SocketAddress) throws -> Repeating {
        try Repeating {
            guard let client = try? TestClient(target, timeoutSeconds: 5) else { return }
            client.resetOnClose()
            try? client.send([UInt8](repeating: 0xee, count: 3000))
            usleep(5000)
        }
    }

    /// R3: many idle connections cost little, and the active ones do not notice.
    @Test(arguments: backends)
    func idleAndActive(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let active = ["--connections", "500", "--duration", "2s", "--warmup", "500ms"]
        let alone = try Report(run(server, active).output)
        let before = try server.residentBytes()
        let idle = try (0..<5000).map { _ in try TestClient(target(server)) }
        usleep(300_000)
        let each = Double(try server.residentBytes() - before) / 5000
        let together = try Report(run(server, active).output)
        #expect(together.isExact)
        #expect(together.number("errors", "reset") + together.number("errors", "unanswered") == 0)
        #expect(each <= 1024, "bytes for each idle connection")
        for client in idle.prefix(50) {
            try client.send([3])
            #expect(try client.receive(exactly: 1) == [3])
        }
        let ratio = together.number("latency_ns", "p99") / alone.number("latency_ns", "p99")
        print(
            "R3 backend=\(backend) idle=5000 active=500 bytes_each=\(Int(each)) p99_ratio=\(ratio)"
        )
        _ = consume idle
        server.program.signal(SIGTERM)
        _ = try server.program.wait()
    }

    /// R4: after all the coming and going descriptors and memory are where they were.
    @Test(arguments: backends)
    func churn(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let target = try target(server)
        let count = length(100_000, full: 5_000_000)
        try connectMany(target, 5000)
        usleep(200_000)
        let (descriptors, memory) = (try descriptorCount(server), try server.residentBytes())
        let start = Date()
        try connectMany(target, count)
        let seconds = Date().timeIntervalSince(start)
        usleep(300_000)
        let growth = try server.residentBytes() - memory
        print(
            "R4 backend=\(backend) connections=\(count) per_second=\(Int(Double(count) / seconds)) "
                + "rss_growth=\(growth) descriptors=\(try descriptorCount(server) - descriptors)"
        )
        #expect(try descriptorCount(server) == descriptors)
        #expect(abs(growth) <= 1 << 20)
        let ended = try server.stop()
        #expect(
            ended.errors.contains("client_fin=\(count + 5000) ")
                || ended.errors.contains("client_fin=\(count + 5000)\n")
        )
    }

    /// Connects, exchanges a few bytes and finishes, so often, by two threads.
    private func connectMany(_ target: SocketAddress, _ count: Int) throws {
        let failures = Tally()
        let threads = try (0..<2).map { _ in
            try Net.Thread(name: "churn") {
                for value in 0..<(count / 2) {
                    let bytes = [UInt8(truncatingIfNeeded: value), 1, 2]
                    guard let client = try? TestClient(target), (try? client.send(bytes)) != nil,
                        (try? client.receive(exactly: 3)) == bytes
                    else {
                        failures.count()
                        continue
                    }
                    client.finish()
                    if (try? client.receiveToEnd()) != [] { failures.count() }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.total == 0)
    }

    /// R6: one flooder does not starve a hundred others.
    ///
    /// The server has a CPU of its own, and the flooder yields to the hundred on theirs, so that it
    /// is the server's fairness that is seen and not the scheduler's. What disturbs the machine
    /// only lengthens a time: of three attempts one has to be within the bar.
    @Test(arguments: backends)
    func fairness(_ backend: String) throws {
        let cpus = CPUSet.allowed()
        let (first, last) = (["taskset", "-c", "\(cpus[0])"], ["taskset", "-c", "\(cpus.last!)"])
        let server = try Server(["--backend", backend, "--workers", "1"], wrapper: first)
        func p99() throws -> Double {
            let load = ["ringload", "rr", server.address, "--json", "-", "--verify"]
            let shape = ["--connections", "100", "--duration", "2s", "--warmup", "300ms"]
            let report = try Report(Program(last + load + shape).wait(seconds: 60).output)
            #expect(report.isExact)
            return report.number("latency_ns", "p99")
        }
        var ratio = Double.infinity
        for _ in 0..<3 where ratio > 10 {
            let alone = try p99()
            let flooder = try Program(
                last + ["nice", "-n", "19", "ringload", "rr", server.address]
                    + ["--connections", "1", "--size", "256k", "--depth", "8"]
                    + ["--duration", "60s", "--warmup", "0"]
            )
            usleep(300_000)
            let flooded = try p99()
            flooder.signal(SIGTERM)
            _ = try flooder.wait()
            ratio = flooded / alone
            print(
                "R6 backend=\(backend) p99_alone_us=\(Int(alone / 1000)) "
                    + "p99_flooded_us=\(Int(flooded / 1000)) ratio=\(ratio)"
            )
        }
        #expect(ratio <= 10)
        _ = try server.stop()
    }

    /// R8: a pool of eight buffers and 256 connections of a mebibyte each: nobody is left behind.
    @Test(arguments: backends)
    func exhaustedPool(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1", "--buffers", "8"])
        let report = try load(
            server,
            "--connections",
            "256",
            "--size",
            "1M",
            "--duration",
            "100ms",
            "--warmup",
            "0"
        )
        let stall = report.number("longest_silence_ns") / 1e6
        print(
            "R8 backend=\(backend) buffers=8 connections=256 \(report.verdict) "
                + "longest_stall_ms=\(Int(stall))"
        )
        #expect(report.isExact)
        #expect(report.number("errors", "unanswered") == 0)
        #expect(report.number("integrity", "verified_bytes") >= 256 * 1_048_576)
        #expect(stall < 1000)
        _ = try server.stop()
    }

    /// R13: drains at random moments under load; nobody sees RST, and every server ends with 0.
    @Test(arguments: backends)
    func drainsUnderLoad(_ backend: String) throws {
        let rounds = length(25, full: 500)
        for _ in 0..<rounds {
            let server = try Server(["--backend", backend, "--workers", "2"])
            let load = try Program([
                "ringload", "rr", server.address, "--connections", "100", "--size", "1-20000",
                "--verify", "--duration", "30s", "--warmup", "0", "--json", "-",
            ])
            usleep(UInt32.random(in: 50_000...400_000))
            let ended = try server.stop()
            #expect(ended.status == 0)
            load.signal(SIGTERM)
            let report = try Report(load.wait().output)
            #expect(report.isExact, "\(report.verdict)")
            #expect(report.number("errors", "reset") == 0)
        }
        print("R13 backend=\(backend) rounds=\(rounds) resets=0 lost=0 foreign=0 reordered=0")
    }

    /// R15: sockets destroyed at random; the others do not notice, and nothing leaks.
    @Test(.enabled(if: getuid() == 0), arguments: backends)
    func destroyedSockets(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1"])
        let descriptors = try descriptorCount(server)
        let load = try Program([
            "ringload", "rr", server.address, "--json", "-", "--verify", "--connections", "200",
            "--duration", "4s", "--warmup", "0",
        ])
        usleep(500_000)
        for _ in 0..<30 {
            let list = try Program.shell("ss -Htn state established sport = :\(server.port)").output
            let ports = list.split(separator: "\n").compactMap {
                $0.split(separator: " ").last?.split(separator: ":").last
            }
            guard let port = ports.randomElement() else { break }
            _ = try Program.shell("ss -K sport = :\(server.port) dport = :\(port)")
        }
        let report = try Report(load.wait(seconds: 60).output)
        let killed = Int(report.number("errors", "reset"))
        print("R15 backend=\(backend) killed=\(killed) \(report.verdict)")
        #expect(report.isExact)
        #expect(killed >= 20)
        usleep(200_000)
        #expect(try descriptorCount(server) == descriptors)
        #expect(try server.stop().status == 0)
    }

    /// R18: with both CPUs hogged nothing is lost, and nobody is taken for idle.
    @Test(arguments: backends)
    func starvedOfProcessorTime(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "1", "--idle-timeout", "3s"])
        let hogs = try (0..<4).map { _ in try Program(["bash", "-c", "while :; do :; done"]) }
        let report = try load(server, "--connections", "50", "--duration", "5s", "--size", "1-5000")
        for hog in hogs {
            hog.signal(SIGKILL)
            _ = try hog.wait()
        }
        let ended = try server.stop()
        print("R18 backend=\(backend) messages=\(report.messages) \(report.verdict)")
        #expect(report.isExact)
        #expect(!ended.errors.contains("idle="))
    }
}
