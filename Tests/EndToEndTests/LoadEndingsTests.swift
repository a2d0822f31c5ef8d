// How runs of the release `ringload` end that cannot go well: each with words of its own and its
// exit status.

import Engine
import Foundation
import Net
import Support
import Testing

/// A server that takes everything and says nothing.
private struct SilentServer: Handler, ~Copyable {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict { .consume }
}

/// A server that resets each connection at its first bytes.
private struct ResettingServer: Handler, ~Copyable {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict { .abort }
}

/// A server that takes a millisecond for each request, and so a thousand in a second.
private struct SlowServer: Handler, ~Copyable {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        usleep(1000)
        return .echo
    }
}

@Suite(.serialized, .enabled(if: Place.hasBinaries))
struct LoadEndingsTests {
    private func run(_ workload: String, _ address: String, _ options: String...) throws -> Ended {
        try Program(["ringload", workload, address, "--duration", "500ms"] + options).wait(
            seconds: 60
        )
    }

    private func serve<H: Handler & ~Copyable>(
        _ makeHandler: @escaping @Sendable () -> H,
        _ body: (String) throws -> Void
    ) throws {
        let server = try EchoServer(.epoll, limits: Limits(connectionsMax: 128)) { _ in
            makeHandler()
        }
        try body("\(server.address)")
        _ = server.stop()
    }

    @Test(arguments: ["rr", "crr", "stream", "idle"])
    func nobodyListens(_ workload: String) throws {
        let server = try EchoServer(.epoll)
        let address = "\(server.address)"
        _ = server.stop()
        let options = workload == "crr" ? ["--warmup", "100ms"] : []
        let ended = try Program(["ringload", workload, address, "--duration", "300ms"] + options)
            .wait(seconds: 60)
        #expect(ended.status == 1)
        #expect(
            ended.errorLines == [
                "ringload: \(address) refused every connection; is a server listening?"
            ]
        )
    }

    @Test func aServerThatNeverAnswers() throws {
        try serve({ SilentServer() }) { address in
            let ended = try run("rr", address, "--timeout", "300ms", "--connections", "3")
            #expect(ended.status == 1)
            #expect(ended.errors.contains("not every request was answered: timed_out=3"))
        }
    }

    @Test func anAddressThatNeverAnswersAConnect() throws {
        // A listener whose queue is full: its kernel drops what comes.
        var options = ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))
        options.backlog = 0
        let listener = try Socket.listen(options)
        defer { listener.close() }
        let address = try Socket.localAddress(of: listener)
        let fillers = (0..<8).compactMap { _ in try? TestClient(address, timeoutSeconds: 1) }
        let ended = try run("rr", "\(address)", "--timeout", "500ms", "--connections", "2")
        #expect(ended.status == 1)
        #expect(ended.errors.contains("did not answer a connect within 500 ms"), "\(ended.errors)")
        withExtendedLifetime(fillers) {}
    }

    @Test func aServerThatResets() throws {
        try serve({ ResettingServer() }) { address in
            let ended = try run("rr", address, "--connections", "4")
            #expect(ended.status == 1)
            #expect(ended.errors.contains("reset=4"), "\(ended.errors)")
        }
    }

    @Test func aNameThatDoesNotResolve() throws {
        let ended = try run("rr", "no-such-name.invalid:1")
        #expect(ended.status == 1)
        #expect(ended.errors.contains("'no-such-name.invalid' does not resolve"))
    }

    @Test(arguments: [
        ["--size", "2G"], ["--rate", "0"], ["--rate", "10k", "--think", "1ms"],
        ["--gate", "p98<1ms"], ["--source", "::1/128"], ["--count", "0"], ["--rst", "101%"],
        ["--spacing", "even"],
    ])
    func whatCannotBeAskedFor(_ options: [String]) throws {
        let ended = try Program(["ringload", "rr", "127.0.0.1:1"] + options).wait()
        #expect(ended.status == 2)
        #expect(ended.errorLines.count == 1)
        #expect(ended.errors.contains(options[0]), "\(ended.errors)")
    }

    @Test func aRateThatCannotBeReached() throws {
        try serve({ SlowServer() }) { address in
            let ended = try run("rr", address, "--rate", "5k", "--connections", "4")
            #expect(ended.status == 4)
            #expect(ended.errors.contains("the rate of 5000 per second could not be reached"))
            #expect(ended.output.contains("INVALID"))
            #expect(try run("rr", address, "--rate", "5k", "--ignore-audit").status == 0)
        }
    }

    @Test func aGateThatIsBreached() throws {
        try serve({ SlowServer() }) { address in
            let ended = try run("rr", address, "--gate", "p50<10us,errors=0")
            #expect(ended.status == 3)
            #expect(ended.errors.contains("the gate was breached: p50<10us: it was "))
            #expect(try run("rr", address, "--gate", "p50<10s,errors=0").status == 0)
        }
        try serve({ ResettingServer() }) { address in
            let ended = try run("rr", address, "--connections", "2", "--gate", "errors<=1")
            #expect(ended.status == 3, "a gate on errors judges them")
            #expect(ended.errors.contains("errors<=1: it was "))
        }
    }

    @Test func aFileThatCannotBeWritten() throws {
        for option in ["--json", "--csv", "--report", "--hdr"] {
            let server = try Server([])
            let ended = try run("rr", server.address, option, "/no/such/folder/file")
            #expect(ended.status == 1)
            #expect(ended.errors.contains("/no/such/folder/file"))
            _ = try server.stop()
        }
    }

    @Test func whatIsSavedCanBeMergedAndRunAgain() throws {
        let server = try Server([])
        let (json, log, page, table) = (
            TemporaryFile(), TemporaryFile(), TemporaryFile(), TemporaryFile()
        )
        let ended = try run(
            "rr",
            server.address,
            "--rate",
            "500",
            "--ignore-audit",
            "--verify",
            "--json",
            json.path,
            "--hdr",
            log.path,
            "--report",
            page.path,
            "--csv",
            table.path
        )
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.output.contains("every byte right"))
        #expect(page.text.hasPrefix("<!DOCTYPE html>"))
        #expect(table.text.split(whereSeparator: \.isNewline).count >= 2)
        let merged = try Program.run("ringload", "merge", log.path, log.path)
        #expect(merged.status == 0, "\(merged.errors)")
        let report = try JSONSerialization.jsonObject(with: Data(json.text.utf8))
        let messages = try #require((report as? [String: Any])?["messages"] as? Int)
        #expect(messages > 200)
        let again = try Program.run("ringload", "rerun", json.path)
        #expect(again.status == 0, "\(again.errors)")
        #expect(again.errors.contains("--seed"))
        let none = try Program.run("ringload", "rerun", log.path)
        #expect(none.status == 1)
        #expect(none.errorLines.count == 1)
        _ = try server.stop()
    }

    @Test func searchesForARate() throws {
        try serve({ SlowServer() }) { address in
            let ended = try Program([
                "ringload", "search", address, "--slo", "p50=20ms", "--from", "100",
                "--duration", "300ms", "--warmup", "50ms", "--precision", "50%",
                "--spacing", "constant",
            ]).wait(seconds: 120)
            // A thousand in a second are the most that this server can do.
            #expect([0, 4].contains(ended.status), "\(ended.errors)")
            #expect(ended.output.contains("kept"))
        }
    }

    @Test func comparesTwoServers() throws {
        let (one, other) = (try Server([]), try Server(["--backend", "epoll"]))
        let ended = try Program([
            "ringload", "compare", one.address, other.address, "--pairs", "2",
            "--duration", "100ms", "--warmup", "10ms", "--verify",
            "--pid-a", "\(one.program.identifier)", "--pid-b", "\(other.program.identifier)",
        ]).wait(seconds: 60)
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.output.contains("throughput"))
        #expect(ended.output.contains("server CPU per message"))
        #expect(ended.output.contains("2 pairs are too few to tell"))
        _ = try (one.stop(), other.stop())
    }
}
