// The release server with the clients that people use: nc, ringload, and a signal at the end.

import Foundation
import Support
import Testing

private let backends = ["uring", "epoll"]

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct ServiceTests {
    @Test(arguments: backends)
    func answersNetcat(_ backend: String) throws {
        let server = try Server(["--backend", backend])
        let answer = try Program.shell("printf 'hello-echo' | nc -N 127.0.0.1 \(server.port)")
        #expect(answer.output == "hello-echo")
        #expect(answer.status == 0)
        let ended = try server.stop()
        #expect(ended.status == 0)
        #expect(ended.errors.contains("accepted=1 "))
        #expect(
            ended.errors.contains(backend == "uring" ? "enters_per_receive=" : "waits_per_receive=")
        )
    }

    @Test(arguments: backends)
    func returnsAHundredMebibytesUnchanged(_ backend: String) throws {
        let server = try Server(["--backend", backend])
        let file = TemporaryFile()
        let answer = try Program.shell(
            "head -c 100M /dev/urandom >\(file.path) && "
                + "nc -N 127.0.0.1 \(server.port) <\(file.path) | cmp - \(file.path)"
        )
        #expect(answer.status == 0, "\(answer.errors)\(answer.output)")
        #expect(try server.stop().status == 0)
    }

    @Test(arguments: backends)
    func saysWhatItIsAndWhatToTypeNext(_ backend: String) throws {
        let server = try Server(["--backend", backend, "--workers", "2"])
        let lines = server.program.errorsSoFar.split(separator: "\n")
        #expect(lines.count == 1)
        #expect(lines[0].contains(backend == "uring" ? "by io_uring (" : "by epoll"))
        #expect(lines[0].contains("2 workers"))
        #expect(lines[0].hasSuffix("try: nc 127.0.0.1 \(server.port)"))
        #expect(try server.stop().status == 0)
    }

    @Test(arguments: backends)
    func reportsWhatIsDocumented(_ backend: String) throws {
        let server = try Server(["--backend", backend])
        let ended = try Program.run(
            "ringload",
            "rr",
            server.address,
            "--duration",
            "300ms",
            "--warmup",
            "50ms",
            "--size",
            "1-5000",
            "--verify",
            "--half-close",
            "--backend",
            backend,
            "--server-pid",
            "\(server.program.identifier)",
            "--json",
            "-"
        )
        #expect(ended.status == 0, "\(ended.errors)")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any]
        )
        for key in [
            "messages", "messages_per_second", "bytes_received_per_second",
            "bytes_sent_per_second",
        ] {
            #expect((report[key] as? Double ?? 0) > 0, "\(key)")
        }
        for key in ["client", "server"] {
            let cost = try #require(report[key] as? [String: Any])
            #expect((cost["cpu_ns_per_message"] as? Double ?? 0) > 0, "\(key)")
        }
        for key in ["latency_ns", "connect_latency_ns"] {
            let summary = try #require(report[key] as? [String: Any])
            let values = ["p50", "p90", "p99", "p99_9", "p99_99", "max"].map {
                summary[$0] as? Double ?? -1
            }
            #expect(values == values.sorted() && values[0] > 0, "\(key)")
        }
        let integrity = try #require(report["integrity"] as? [String: Any])
        #expect((integrity["verified_bytes"] as? Int ?? 0) > 0)
        for key in ["lost", "foreign", "reordered"] { #expect(integrity[key] as? Int == 0) }
        #expect(try server.stop().status == 0)
    }

    @Test func reportsWhatItHasWhenInterrupted() throws {
        let server = try Server([])
        let load = try Program([
            "ringload", "rr", server.address, "--duration", "60s", "--warmup", "0",
        ])
        usleep(500_000)
        load.signal(SIGINT)
        let ended = try load.wait()
        #expect(ended.status == 130)
        #expect(ended.output.contains("messages "))
        _ = try server.stop()
    }

    @Test(arguments: [
        ("EPERM", "policy forbids it"), ("ENOSYS", "the kernel has no io_uring"),
        ("ENOMEM", "locked memory"), ("EINVAL", "the kernel has no"),
    ])
    func fallsBackToEpollAndSaysWhy(_ error: String, _ reason: String) throws {
        let inject =
            ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup"]
            + ["-e", "inject=io_uring_setup:error=\(error)"]
        let server = try Server([], wrapper: inject)
        #expect(server.program.errorsSoFar.contains("by epoll, since io_uring cannot be used: "))
        #expect(server.program.errorsSoFar.contains(reason))
        let answer = try Program.shell("printf x | nc -N 127.0.0.1 \(server.port)")
        #expect(answer.output == "x")
        #expect(try server.stop().status == 0)

        let demanded = try Program(
            inject + ["ringback", "echo", "--listen", "127.0.0.1:0", "--backend", "uring"]
        ).wait()
        #expect(demanded.status == 1)
        #expect(demanded.errorLines.count == 1)
        #expect(demanded.errors.contains(reason))
        #expect(demanded.errors.contains("to mend it: "))
    }

    /// Buffer rings are what the io_uring driver cannot do without: a kernel before 5.19 refuses
    /// their registration.
    @Test func theWantOfBufferRingsMeansEpoll() throws {
        let trace = TemporaryFile()
        let strace = ["strace", "-D", "-f", "-qq", "-e", "trace=io_uring_register"]
        _ = try Server([], wrapper: strace + ["-o", trace.path]).stop()
        let calls = trace.text.split(separator: "\n")
        let number = 1 + (try #require(calls.firstIndex { $0.contains("REGISTER_PBUF_RING") }))
        let inject =
            strace + ["-o", "/dev/null"]
            + ["-e", "inject=io_uring_register:error=EINVAL:when=\(number)"]
        let server = try Server([], wrapper: inject)
        #expect(server.program.errorsSoFar.contains("by epoll, since io_uring cannot be used: "))
        #expect(server.program.errorsSoFar.contains("no buffer rings and multishot receive"))
        let answer = try Program.shell("printf x | nc -N 127.0.0.1 \(server.port)")
        #expect(answer.output == "x")
        #expect(try server.stop().status == 0)
    }
}
