// `ringback serve`: the services of a file, and what a reload changes for whom. Nobody's connection
// is dropped by it, and a file with a mistake changes nothing.

import Foundation
import Net
import Support
import Testing

/// `ringback serve` on a file of the test.
private final class ServedFile {
    let program: Program
    private let file: TemporaryFile

    /// - Parameter lines: of the file, below `services:`.
    init(_ lines: String, flags: [String] = []) throws {
        file = TemporaryFile()
        try ("services:\n" + lines).write(toFile: file.path, atomically: false, encoding: .utf8)
        program = try Program(["ringback", "serve", "--config", file.path] + flags)
        try program.waitUntilItSays("try: nc")
    }

    /// Has it read another file, and waits until it says what came of it.
    func reload(_ lines: String, _ outcome: String = " reloaded") throws {
        let before = count(outcome)
        try ("services:\n" + lines).write(toFile: file.path, atomically: true, encoding: .utf8)
        program.signal(SIGHUP)
        try program.waitUntilItSays(outcome, times: before + 1)
    }

    func count(_ part: String) -> Int {
        program.errorsSoFar.components(separatedBy: part).count - 1
    }

    var descriptors: Int {
        let folder = "/proc/\(program.identifier)/fd"
        return (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? -1
    }

    var residentBytes: Int {
        let path = "/proc/\(program.identifier)/statm"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }

    func stop() throws -> Ended {
        program.signal(SIGTERM)
        return try program.wait()
    }
}

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct ServeTests {
    private func echo(_ port: UInt16, _ more: String = "", name: String = "greet") -> String {
        "  \(name):\n    type: echo\n    listen: 127.0.0.1:\(port)\n    max-connections: 500\n"
            + more
    }

    private func relay(_ port: UInt16, to upstream: UInt16) -> String {
        "  web:\n    type: relay\n    listen: 127.0.0.1:\(port)\n    max-connections: 500\n"
            + "    to: 127.0.0.1:\(upstream)\n"
    }

    private func client(_ port: UInt16) throws -> TestClient {
        try TestClient(SocketAddress(parsing: "127.0.0.1:\(port)"))
    }

    private func echoes(_ client: TestClient) throws -> Bool {
        let bytes = randomBytes(100, seed: 5)
        try client.send(bytes)
        return try client.receive(exactly: 100) == bytes
    }

    /// A port that nobody listens on, as far as one can know.
    private static func port() -> UInt16 { UInt16.random(in: 20000..<30000) }

    /// A hundred reloads, each with other workers, under load that checks every byte.
    @Test(arguments: ["uring", "epoll"])
    func aHundredReloadsUnderLoad(_ backend: String) throws {
        let port = Self.port()
        func settings(_ number: Int) -> String {
            echo(port, "    backend: \(backend)\n    workers: \(1 + number % 3)\n    pin: false\n")
        }
        let served = try ServedFile(settings(0))
        try served.reload(settings(1))
        let target = "127.0.0.1:\(port)"
        func load(_ arguments: String...) throws -> Program {
            try Program(["ringload"] + arguments + [target, "--verify", "--duration", "6s"])
        }
        let messages = try load("rr", "--connections", "20", "--size", "1-20000")
        let visits = try load("crr", "--connections", "4", "--rate", "500")
        for number in 2..<12 { try served.reload(settings(number)) }
        let (descriptors, bytes) = (served.descriptors, served.residentBytes)
        for number in 12..<100 { try served.reload(settings(number)) }
        #expect(served.descriptors <= descriptors + 16, "\(descriptors)")
        // Each set of workers has its buffers; only those of the present one are left.
        #expect(served.residentBytes <= bytes + (48 << 20), "\(bytes) to \(served.residentBytes)")
        for program in [messages, visits] {
            let ended = try program.wait()
            #expect(ended.status == 0 || ended.status == 4, "\(ended.output)\(ended.errors)")
            #expect(ended.output.contains("lost=0 foreign=0 reordered=0"), "\(ended.output)")
            #expect(ended.output.contains("errors       none"), "\(ended.output)")
        }
        #expect(try served.stop().status == 0)
    }

    @Test func aBadFileChangesNothing() throws {
        let port = Self.port()
        let served = try ServedFile(echo(port), flags: ["--drain-timeout", "1s"])
        let old = try client(port)
        #expect(try echoes(old))
        try served.reload(echo(port, "    idle-timeuot: 5m\n"), "not reloaded")
        #expect(served.program.errorsSoFar.contains("idle-timeout"), "the name that was meant")
        #expect(try echoes(old))
        #expect(try echoes(client(port)))
        // What only shows when it is started is no better.
        let taken = try Server([])
        try served.reload(
            echo(port, "    workers: 1\n") + echo(taken.port, name: "other"),
            "stays as it was: cannot listen on"
        )
        #expect(try echoes(old))
        #expect(try echoes(client(port)))
        #expect(try taken.stop().status == 0)
        #expect(try served.stop().status == 0)
    }

    @Test func servicesComeAndGo() throws {
        let (first, second) = (Self.port(), Self.port())
        let served = try ServedFile(echo(first))
        let old = try client(first)
        #expect(try echoes(old))
        try served.reload(echo(second, name: "other"))
        #expect(try echoes(client(second)))
        #expect(try echoes(old), "the connections of a service that is gone go on")
        let deadline = Date().addingTimeInterval(5)
        while (try? client(first)) != nil {
            try #require(Date() < deadline, "its listener closes")
            usleep(2000)
        }
        old.finish()
        #expect(try old.receiveToEnd() == [])
        try served.program.waitUntilItSays("greet stopped; accepted=")
        #expect(try served.stop().status == 0)
    }

    /// Whoever is connected stays with the upstream that he has; whoever comes gets the new one.
    @Test func upstreamsChange() throws {
        let (one, two) = (try Server([]), try Server([]))
        let port = Self.port()
        let served = try ServedFile(relay(port, to: one.port))
        let old = try client(port)
        #expect(try echoes(old))
        try served.reload(relay(port, to: two.port))
        let new = try client(port)
        #expect(try echoes(new))
        #expect(try echoes(old))
        try one.waitForConnections(1)
        try two.waitForConnections(1)
        old.finish()
        new.finish()
        #expect(try old.receiveToEnd() == [])
        #expect(try served.stop().status == 0)
        #expect(try one.stop().errors.contains("accepted=1 "))
        #expect(try two.stop().errors.contains("accepted=1 "))
    }

    /// A service whose settings are the same keeps its workers.
    @Test func whatIsTheSameIsLeftAlone() throws {
        let (first, second) = (Self.port(), Self.port())
        let served = try ServedFile(echo(first) + echo(second, name: "other"))
        try served.reload(echo(first) + echo(second, "    workers: 1\n", name: "other"))
        #expect(served.count("greet on ") == 1)
        #expect(served.count("other on ") == 2)
        #expect(try served.stop().status == 0)
    }

    @Test func reportsAndOpensItsLogAnew() throws {
        let (log, moved) = (TemporaryFile(), TemporaryFile())
        let port = Self.port()
        let served = try ServedFile(echo(port, "    access-log: \(log.path)\n"))
        func visit() throws {
            let client = try client(port)
            #expect(try echoes(client))
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        try visit()
        usleep(200_000)
        try FileManager.default.removeItem(atPath: moved.path)
        try FileManager.default.moveItem(atPath: log.path, toPath: moved.path)
        served.program.signal(SIGUSR1)
        try served.program.waitUntilItSays("greet: accepted=1 ")
        try visit()
        usleep(200_000)
        func lines(_ path: String) throws -> Int {
            try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count
        }
        #expect(try lines(moved.path) == 1)
        #expect(try lines(log.path) == 1)
        #expect(try served.stop().status == 0)
    }

    /// A flag is for every service, and counts for more than the file.
    @Test func flagsAreForEveryService() throws {
        let port = Self.port()
        let served = try ServedFile(
            echo(port, "    idle-timeout: 1h\n"),
            flags: ["--idle-timeout", "200ms"]
        )
        let client = try client(port)
        #expect(try client.receiveToEnd() == [])
        client.finish()
        #expect(try served.stop().errors.contains("idle=1"))
    }
}
