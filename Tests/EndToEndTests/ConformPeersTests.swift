// `ringload conform` as a user runs it: against our server, and against servers from other hands.
// These judge the suite: what a right server fails is a mistake of the case. Where a peer fails for
// a mistake of its own, the cases are left out here with the reason, and not softened.

import Foundation
import Support
import Testing

/// A server that is not ours.
private final class Peer {
    let program: Program
    let address: String

    /// Starts a command in which PORT stands for a free port, and waits until it serves.
    init(_ command: [String]) throws {
        let scout = try Server([])
        let port = "\(scout.port)"
        address = scout.address
        _ = try scout.stop()
        program = try Program(command.map { $0.replacingOccurrences(of: "PORT", with: port) })
        let deadline = Date().addingTimeInterval(10)
        while try conform(["echo-1"]).status != 0 {
            guard Date() < deadline else { throw Program.TimedOut(what: command) }
            usleep(20_000)
        }
    }

    deinit { program.signal(SIGTERM) }

    func conform(_ names: [String], _ options: [String] = []) throws -> Ended {
        try Program(
            ["ringload", "conform", address] + names.flatMap { ["--case", $0] } + options
        ).wait(seconds: 100)
    }
}

private func has(_ name: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
}

private func names(without left: Set<String>) throws -> [String] {
    let listed = try Program.run("ringload", "conform", "--list")
    let all = listed.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    #expect(left.isSubset(of: all), "\(left.subtracting(all))")
    return all.filter { !left.contains($0) }
}

/// Cases with 64 KiB, a pipe's worth, or more under way on a connection.
///
/// socat's PIPE address is an unnamed pipe that one process writes and reads. It writes blocks of
/// 8 KiB as soon as poll reports room, which is room for 4 KiB; where the pipe is all but full, it
/// waits for itself for good. `ncat --exec` writes to cat without looking whether cat can write to
/// it; with both pipes full each waits for the other. Either was seen in /proc/PID/wchan, as
/// `anon_pipe_write`. Whether it comes to this is up to the scheduler, so these cases may pass.
private let overfillingPipes: Set = [
    "echo-64k", "echo-1m", "echo-8m", "odd-sends", "slow-reader", "late-reader",
    "half-close-100k", "half-close-late-100k", "half-close-4m", "half-close-late-4m",
    "unread-is-bounded", "unread-stops-nobody", "reset-mid-echo", "close-unread",
]

/// Cases with bytes before the client's FIN. At that FIN `ncat --exec` leaves its loop and closes,
/// whatever cat has still to say (`netexec` in ncat_posix.c): it breaks E1.
private let needingTheTail: Set = [
    "half-close-1", "half-close-late-1", "fin-with-data", "fin-not-reset", "finish-under-way",
    "churn",
]

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(4)))
struct ConformPeersTests {
    @Test(arguments: ["uring", "epoll"])
    func ringbackPasses(_ backend: String) throws {
        let server = try Server(["--backend", backend])
        let junit = TemporaryFile()
        let ended = try Program(["ringload", "conform", server.address, "--junit", junit.path])
            .wait(seconds: 100)
        #expect(ended.status == 0, "\(ended.output)")
        #expect(ended.errors == "")
        let lines = ended.output.split(separator: "\n")
        let count = try names(without: []).count
        #expect(lines.prefix(2) == ["TAP version 14", "1..\(count)"])
        #expect(lines.filter { $0.hasPrefix("ok ") }.count == count)
        #expect(junit.text.contains("tests=\"\(count)\" failures=\"0\""))
        #expect(try server.stop().status == 0)
    }

    /// By IPv6, and by IPv4 at an address that takes both.
    @Test(
        .enabled(if: Place.hasIPv6),
        arguments: ["uring", "epoll"],
        [("[::1]:0", "[::1]"), ("[::]:0", "127.0.0.1")]
    )
    func ringbackPassesByIPv6(_ backend: String, _ place: (listen: String, host: String)) throws {
        let server = try Server(["--backend", backend], listen: place.listen)
        let ended = try Program(["ringload", "conform", "\(place.host):\(server.port)"])
            .wait(seconds: 100)
        #expect(ended.status == 0, "\(ended.output)")
        let both = ["[::1]:\(server.port)", "--case", "half-close-4m", "--case", "churn"]
        #expect(try Program(["ringload", "conform"] + both).wait().status == 0)
        #expect(try server.stop().status == 0)
    }

    @Test(.enabled(if: Place.hasGoEcho))
    func goPasses() throws {
        let peer = try Peer([Place.goEcho, "127.0.0.1:PORT", "read"])
        let ended = try peer.conform([])
        #expect(ended.status == 0, "\(ended.output)")
    }

    /// What Go's io.Copy does by itself. splice(2) gives nothing from an urgent byte on
    /// (tcp_read_sock in tcp.c), so whatever such a server is sent after one stays unread for good.
    @Test(.enabled(if: Place.hasGoEcho))
    func goPassesBySpliceButForTheUrgentByte() throws {
        let peer = try Peer([Place.goEcho, "127.0.0.1:PORT"])
        let ended = try peer.conform(try names(without: ["urgent-byte"]))
        #expect(ended.status == 0, "\(ended.output)")
        let failed = try peer.conform(["urgent-byte"], ["--timeout", "1s"])
        #expect(failed.status == 3)
        #expect(failed.output.contains("  fault: silent"))
    }

    /// cat with the socket as its input and output, as inetd would run it: the plainest echo.
    @Test(.enabled(if: has("socat")))
    func catOnTheSocketPasses() throws {
        let peer = try Peer([
            "socat", "TCP-LISTEN:PORT,fork,reuseaddr,bind=127.0.0.1", "EXEC:/bin/cat,nofork",
        ])
        let ended = try peer.conform([])
        #expect(ended.status == 0, "\(ended.output)")
    }

    @Test(.enabled(if: has("socat")))
    func socatsPipePasses() throws {
        let peer = try Peer([
            "socat", "TCP-LISTEN:PORT,fork,reuseaddr,bind=127.0.0.1", "PIPE",
        ])
        let ended = try peer.conform(try names(without: overfillingPipes))
        #expect(ended.status == 0, "\(ended.output)")
    }

    @Test(.enabled(if: has("ncat")))
    func ncatPassesButForTheTail() throws {
        // Without -m ncat serves 100 clients at once and cuts the others.
        let peer = try Peer([
            "ncat", "-l", "-k", "-m", "1000", "--exec", "/bin/cat", "127.0.0.1", "PORT",
        ])
        let able = try names(without: overfillingPipes.union(needingTheTail))
        let ended = try peer.conform(able)
        #expect(ended.status == 0, "\(ended.output)")
        let failed = try peer.conform(["fin-with-data"])
        #expect(failed.status == 3)
        #expect(failed.output.contains("not ok 1 - fin-with-data"))
        #expect(failed.output.contains("  fault: tail_lost"))
    }

    @Test(arguments: [
        (["127.0.0.1:1", "--case", "nonsense"], "there is no such case"),
        ([], "Missing expected argument"), (["127.0.0.1"], "has no port"),
        (["127.0.0.1:1", "--timeout", "0"], "--timeout must be above 0"),
    ])
    func badArgumentsAreNamed(_ arguments: [String], _ words: String) throws {
        let ended = try Program(["ringload", "conform"] + arguments).wait()
        #expect(ended.status == 2)
        #expect(ended.errorLines.count == 1, "\(ended.errors)")
        #expect(ended.errors.contains(words), "\(ended.errors)")
        #expect(ended.output == "")
    }

    /// Before the cases run, and not when their results would be lost with it.
    @Test func aReportThatCannotBeWritten() throws {
        let server = try Server([])
        let ended = try Program.run(
            "ringload",
            "conform",
            server.address,
            "--junit",
            "/nonexistent/conform.xml"
        )
        #expect(ended.status == 1)
        #expect(ended.errors.contains("cannot write '/nonexistent/conform.xml'"))
        #expect(ended.output == "")
        _ = try server.stop()
    }

    @Test func aSignalLeavesTheReportOfWhatHasRun() throws {
        let server = try Server([])
        let junit = TemporaryFile()
        let run = try Program(["ringload", "conform", server.address, "--junit", junit.path])
        usleep(500_000)
        run.signal(SIGTERM)
        let ended = try run.wait()
        #expect(ended.status == 143)
        let count = ended.output.split(separator: "\n").filter { $0.hasPrefix("ok ") }.count
        #expect(ended.output.hasSuffix("Bail out! ended by a signal\n"))
        #expect(junit.text.contains("tests=\"\(count)\" failures=\"0\""))
        _ = try server.stop()
    }

    @Test func nobodyListening() throws {
        let server = try Server([])
        let address = server.address
        _ = try server.stop()
        let ended = try Program.run("ringload", "conform", address)
        #expect(ended.status == 1)
        #expect(ended.errors.contains("is a server listening?"))
        #expect(ended.output == "")
    }
}
