// The release relay before the release echo: the same suite that judges an echo judges both
// together, since a relay must change nothing; and what becomes of clients whose upstream dies.

import Foundation
import Support
import Testing

private let backends = ["uring", "epoll"]

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(3)))
struct RelayServiceTests {
    private func relay(_ backend: String, to echo: Server, _ options: [String] = []) throws
        -> Server
    {
        try Server(
            ["--backend", backend, "--to", echo.address] + options,
            service: "relay"
        )
    }

    @Test(arguments: backends)
    func anEchoBehindARelayConforms(_ backend: String) throws {
        let echo = try Server(["--backend", "epoll"])
        let relay = try relay(backend, to: echo)
        let ended = try Program.run("ringload", "conform", relay.address)
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        #expect(try relay.stop().status == 0)
        #expect(try echo.stop().status == 0)
    }

    /// 512 pairs, every byte keyed to its connection, half of them ended by FIN before the answer;
    /// copied, and through fewer pipes than there are transfers.
    @Test(arguments: backends, [(0, "log:1-64k", "20000"), (16, "log:1-1M", "3000")])
    func manyPairsAreKeptApart(
        _ backend: String,
        _ load: (pipes: Int, size: String, count: String)
    ) throws {
        let echo = try Server(["--backend", "epoll"])
        let relay = try relay(backend, to: echo, ["--pipes", "\(load.pipes)"])
        let ended = try Program.run(
            "ringload",
            "rr",
            relay.address,
            "--connections",
            "512",
            "--size",
            load.size,
            "--count",
            load.count,
            "--verify",
            "--half-close",
            "--rst",
            "5%"
        )
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        let stopped = try relay.stop()
        #expect(stopped.status == 0)
        #expect(stopped.errors.contains("upstream0_connected=512"), "\(stopped.errors)")
        #expect(stopped.errors.contains("bytes_bypassed=0") == (load.pipes == 0))
        #expect(try echo.stop().status == 0)
    }

    /// A process that is stopped still has its connections accepted by the kernel: only an answer
    /// shows that it serves. Traffic goes elsewhere, and comes back.
    @Test(arguments: backends)
    func aStoppedUpstreamIsFoundDown(_ backend: String) throws {
        let (one, other) = (
            try Server(["--backend", "epoll"]), try Server(["--backend", "epoll"])
        )
        let relay = try relay(
            backend,
            to: one,
            [
                "--to", other.address, "--check-interval", "100ms", "--check-timeout", "50ms",
                "--check-fall", "2", "--check-send", #"hello\n"#, "--check-expect", "hello",
            ]
        )
        func answers() throws -> Int {
            try (0..<4).count { _ in
                let asked = try Program.shell(
                    "printf x | timeout -s KILL 1 nc -N 127.0.0.1 \(relay.port)"
                )
                return asked.output == "x"
            }
        }
        one.program.signal(SIGSTOP)
        try waitUntil { try answers() == 4 }
        #expect(try answers() == 4)
        one.program.signal(SIGCONT)
        // It is used again when connections come to both.
        try waitUntil {
            let before = try one.connections().count
            let held = try Program(["nc", "127.0.0.1", "\(relay.port)"])
            let second = try Program(["nc", "127.0.0.1", "\(relay.port)"])
            usleep(100_000)
            let isUsed = try one.connections().count > before
            for program in [held, second] {
                program.signal(SIGKILL)
                _ = try program.wait()
            }
            return isUsed
        }
        let stopped = try relay.stop()
        #expect(stopped.errors.contains("upstream \(one.address) is down: no answer in time"))
        #expect(stopped.errors.contains("upstream \(one.address) is up again"))
        for server in [one, other] { #expect(try server.stop().status == 0) }
    }

    /// R14: an upstream that stops in the middle of 200 transfers. What it does not take is not
    /// read from the clients, and when it goes on everything goes on.
    @Test(arguments: backends)
    func aStoppedUpstreamGoesOn(_ backend: String) throws {
        let echo = try Server(["--backend", "epoll"])
        let relay = try relay(backend, to: echo)
        let atFirst = try relay.connections().count
        let load = try Program([
            "ringload", "rr", relay.address, "--connections", "200", "--size", "128k",
            "--duration", "3s", "--warmup", "0s", "--timeout", "20s", "--verify",
        ])
        try waitUntil { try relay.connections().count >= atFirst + 400 }
        echo.program.signal(SIGSTOP)
        usleep(1_000_000)
        echo.program.signal(SIGCONT)
        let ended = try load.wait(seconds: 60)
        #expect(ended.output.contains("every byte right"), "\(ended.output)\(ended.errors)")
        try waitUntil { try relay.connections().count == atFirst }
        #expect(try relay.stop().status == 0)
        #expect(try echo.stop().status == 0)
    }

    @Test(arguments: backends)
    func theAccessLogNamesTheUpstreamAndWhoEndedIt(_ backend: String) throws {
        let echo = try Server(["--backend", "epoll"])
        let file = TemporaryFile()
        let relay = try relay(backend, to: echo, ["--access-log", file.path])
        let answer = try Program.shell("printf hello | nc -N 127.0.0.1 \(relay.port)")
        #expect(answer.output == "hello")
        #expect(try relay.stop().status == 0)
        #expect(try echo.stop().status == 0)
        let lines = file.text.split(separator: "\n")
        #expect(lines.count == 1, "\(lines)")
        let line = lines.first ?? ""
        for part in [
            "bytes_in=5 bytes_out=5", "upstream=\(echo.address)", "retries=0",
            "ended_by=client how=fin",
        ] { #expect(line.contains(part), "\(part) in \(line)") }
    }

    /// Two relays, one behind the other: the log of the second names the client of the first.
    @Test(arguments: backends)
    func aRelayTellsTheNextOfItsClient(_ backend: String) throws {
        let echo = try Server(["--backend", "epoll"])
        let file = TemporaryFile()
        let second = try relay(
            backend,
            to: echo,
            ["--proxy-from", "127.0.0.1", "--access-log", file.path]
        )
        let first = try relay(backend, to: second, ["--proxy-to", "v2"])
        let source = "127.0.0.9"
        let answer = try Program.shell("printf hello | nc -s \(source) -N 127.0.0.1 \(first.port)")
        #expect(answer.output == "hello")
        for server in [first, second, echo] { #expect(try server.stop().status == 0) }
        #expect(file.text.contains("client=\(source):"), "\(file.text)")
        #expect(file.text.contains("bytes_out=5"), "\(file.text)")
    }

    /// An upstream is killed in the middle of transfers: every client learns, nothing is left
    /// behind, and when it is back the next request succeeds.
    @Test(arguments: backends)
    func clientsLearnThatTheirUpstreamWasKilled(_ backend: String) throws {
        let echo = try Server(["--backend", "epoll"])
        let relay = try relay(backend, to: echo)
        let atFirst = try relay.connections().count
        let load = try Program([
            "ringload", "rr", relay.address, "--connections", "200", "--size", "16k",
            "--duration", "20s", "--warmup", "0s", "--timeout", "5s", "--json", "-",
        ])
        try waitUntil { try relay.connections().count >= atFirst + 400 }
        echo.program.signal(SIGKILL)
        _ = try echo.program.wait()
        try waitUntil { try relay.connections().count == atFirst }
        let ended = try load.wait(seconds: 60)
        #expect(ended.output.contains("\"errors\""))
        let again = try Server(["--backend", "epoll"], listen: echo.address)
        // Failures in a row had it left out; as the only one it is tried all the same.
        let answer = try Program.shell("printf back | nc -N 127.0.0.1 \(relay.port)")
        #expect(answer.output == "back")
        #expect(try relay.stop().status == 0)
        #expect(try again.stop().status == 0)
    }

    /// Waits until something is so.
    private func waitUntil(_ isSo: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(20)
        while try !isSo() {
            guard Date() < deadline else { throw WaitedInVain() }
            usleep(10_000)
        }
    }

    private struct WaitedInVain: Error {}

    @Test(arguments: [
        ([], 2, "--to is missing"),
        (["--to", "127.0.0.1"], 2, "--to '127.0.0.1'"),
        (["--to", "127.0.0.1:0"], 2, "no port above 0"),
        (["--to", "127.0.0.1:9,weight=0"], 2, "from 1 to 256"),
        (["--to", "no.such.name.invalid:9"], 1, "does not resolve"),
        (["--to", "127.0.0.1:9", "--listen", "127.0.0.1:9"], 2, "listens there itself"),
        (["--to", "127.0.0.1:9", "--allow", "10.0.0.1/8"], 2, "is no network"),
        (["--to", "127.0.0.1:9", "--retries", "-1"], 2, "--retries"),
        (["--to", "127.0.0.1:9", "--proxy-from", "all"], 2, "--proxy-from 'all' is no network"),
        (["--to", "127.0.0.1:9", "--proxy-to", "v3"], 2, "--proxy-to"),
        (["--to", "127.0.0.1:9", "--proxy-timeout", "0s"], 2, "--proxy-timeout"),
        (
            ["--to", "127.0.0.1:9", "--pipes", "255"], 2,
            "the number of pipes must be from 0 to 254"
        ),
        (["--to", "127.0.0.1:9", "--check-send", "x"], 2, "need --check-interval"),
        (
            ["--to", "127.0.0.1:9", "--check-interval", "1s", "--check-send", "\\q"], 2,
            "--check-send '\\q': escapes are"
        ),
        (["--to", "127.0.0.1:9", "--check-interval", "1s", "--check-fall", "0"], 2, "from 1 to"),
        (["--to", "127.0.0.1:9", "--balance", "fair"], 2, "--balance"),
        (["--to", "127.0.0.1:9", "--max-rate", "fast"], 2, "--max-rate"),
        (["--to", "127.0.0.1:9", "--max-rate-per-ip", "-1"], 2, "--max-rate-per-ip"),
        (["--to", "127.0.0.1:9", "--accept-rate-per-ip", "-1"], 2, "--accept-rate-per-ip"),
    ])
    func badInputGetsOneLine(_ options: [String], _ status: Int, _ words: String) throws {
        let ended = try Program(["ringback", "relay"] + options).wait()
        #expect(Int(ended.status) == status, "\(ended.errors)")
        #expect(ended.errors.contains(words), "\(ended.errors)")
    }
}
