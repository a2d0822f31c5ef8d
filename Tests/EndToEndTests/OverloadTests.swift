// The release server when something runs out, and when it is ended in every way: descriptors,
// locked memory, SIGKILL, SIGTERM under load, a second signal.

import Foundation
import Net
import Support
import Testing

private let backends = ["uring", "epoll"]

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(3)))
struct OverloadTests {
    private func address(_ server: Server) throws -> SocketAddress {
        try SocketAddress(parsing: server.address)
    }

    /// R7: with far more clients than descriptors, those served are undisturbed, the rest wait
    /// without a spin, and all are served when descriptors come back.
    @Test(.enabled(if: getuid() == 0), arguments: backends)
    func descriptorsRunOut(_ backend: String) throws {
        let server = try Server([
            "--backend", backend, "--workers", "1", "--max-connections", "4000",
        ])
        // An accept that is armed keeps the limit it was armed with: here each is armed anew.
        _ = try Program.run("prlimit", "--nofile=256", "--pid", "\(server.program.identifier)")
        let target = try address(server)
        var clients = try (0..<1000).map { _ in try TestClient(target, timeoutSeconds: 5) }
        for client in clients { try client.send([9]) }
        usleep(300_000)
        let served = try clients.filter { try $0.isReadable(withinMilliseconds: 0) }.count
        #expect(served > 150 && served <= 256, "\(served) served")

        let before = try processorNanoseconds(server)
        usleep(1_000_000)
        let busy = Double(try processorNanoseconds(server) - before) / 1e9
        #expect(busy <= 0.05, "share of a core while exhausted: \(busy)")

        // Those served leave, and let others in, until everybody had an answer.
        let start = Date()
        while !clients.isEmpty {
            let waiting = try clients.filter { try !$0.isReadable(withinMilliseconds: 0) }
            if waiting.count == clients.count { usleep(2000) }
            clients = waiting
            guard Date().timeIntervalSince(start) < 10 else { break }
        }
        let seconds = Date().timeIntervalSince(start)
        #expect(clients.isEmpty)
        print(
            "R7 backend=\(backend) clients=1000 descriptors=256 busy=\(busy) release_s=\(seconds)"
        )
        #expect(seconds <= 1.1 + 1, "all served after the release")
        let ended = try server.stop()
        #expect(ended.status == 0)
        let said = ended.errorLines.filter { $0.contains("accepting pauses: Too many open files") }
        #expect(said.count == 1, "once an episode: \(ended.errors)")
    }

    private func processorNanoseconds(_ server: Server) throws -> UInt64 {
        let path = "/proc/\(server.program.identifier)/task/\(try server.workerThread())/schedstat"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return UInt64(text.prefix { $0 != " " }) ?? 0
    }

    /// R11: as a plain user with little or no locked memory.
    @Test(.enabled(if: getuid() == 0), arguments: ["0", "65536", "8388608"])
    func lockedMemoryIsShort(_ limit: String) throws {
        let copy = "/tmp/ringback-bin/ringback"
        _ = try Program.shell("mkdir -p /tmp/ringback-bin && cp \(Place.binaries)/ringback \(copy)")
        let server = try Server(
            [],
            wrapper: [
                "prlimit", "--memlock=\(limit)", "setpriv", "--reuid", "65534", "--regid", "65534",
                "--clear-groups", "--bounding-set", "-all",
            ],
            executable: copy
        )
        #expect(server.program.errorsSoFar.split(separator: "\n").count == 1)
        let answer = try Program.shell("printf x | nc -N 127.0.0.1 \(server.port)")
        #expect(answer.output == "x")
        let backend = server.program.errorsSoFar.contains("by epoll") ? "epoll" : "uring"
        print("R11 memlock=\(limit) backend=\(backend)")
        #expect(try server.stop().status == 0)
    }

    /// R17: after SIGKILL the next server binds at once, though connections were open.
    @Test(arguments: backends)
    func killedServersLeaveThePortFree(_ backend: String) throws {
        var server = try Server(["--backend", backend])
        let port = server.port
        for _ in 0..<20 {
            let client = try TestClient(try address(server))
            try client.send([1])
            #expect(try client.receive(exactly: 1) == [1])
            server.program.signal(SIGKILL)
            _ = try server.program.wait()
            let start = Date()
            server = try Server(["--backend", backend], listen: "127.0.0.1:\(port)")
            #expect(Date().timeIntervalSince(start) < 1)
        }
        #expect(try server.stop().status == 0)
    }

    @Test(arguments: backends)
    func aSecondSignalEndsItNow(_ backend: String) throws {
        let server = try Server(["--backend", backend])
        let client = try TestClient(try address(server))
        try client.send([1])
        #expect(try client.receive(exactly: 1) == [1])
        server.program.signal(SIGTERM)
        usleep(300_000)
        #expect(throws: Program.TimedOut.self, "the client has not finished") {
            _ = try server.program.wait(seconds: 0.3)
        }
        server.program.signal(SIGTERM)
        let ended = try server.program.wait(seconds: 5)
        #expect(ended.status == 143)
        #expect(ended.errors.contains("drain=1"))
    }

    @Test(arguments: backends, ["text", "json"])
    func writesAnAccessLog(_ backend: String, _ format: String) throws {
        let file = TemporaryFile()
        let server = try Server([
            "--backend", backend, "--access-log", file.path, "--access-log-format", format,
        ])
        _ = try Program.shell("printf hello | nc -N 127.0.0.1 \(server.port)")
        #expect(try server.stop().status == 0)
        let lines = file.text.split(separator: "\n")
        #expect(lines.count == 1)
        let line = String(lines.first ?? "")
        if format == "json" {
            let record = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            )
            #expect(record["bytes_in"] as? Int == 5)
            #expect(record["bytes_out"] as? Int == 5)
            #expect(record["end"] as? String == "client_fin")
            #expect(record["undelivered"] as? Int == 0)
            #expect(record["local"] as? String == server.address)
            #expect(record["rtt_us"] as? Int != nil)
        } else {
            #expect(line.contains("bytes_in=5 bytes_out=5 end=client_fin undelivered=0"))
        }
    }

    @Test(arguments: [
        (["--keepalive", "1,2"], "1,2"), (["--keepalive", "0,1,1"], "0,1,1"),
        (["--idle-timeout", "5"], "5"), (["--backlog", "0"], "--backlog must be from 1"),
        (["--accept-rate", "-1"], "accept-rate"),
        (["--access-log", "/nonexistent/x"], "access log"),
        (["--max-pending", "0"], "pending bytes"),
    ])
    func refusesBadSettings(_ options: [String], _ words: String) throws {
        let ended = try Program(["ringback", "echo", "--listen", "127.0.0.1:0"] + options).wait()
        #expect(ended.status == (options[0] == "--access-log" ? 1 : 2))
        #expect(ended.errorLines.count == 1, "\(ended.errors)")
        #expect(ended.errors.contains(words), "\(ended.errors)")
    }
}
