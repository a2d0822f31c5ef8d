// Line: an echo service, and the processes that succeed it one after the other.

import Foundation
import Net
import Support
import Testing

/// `ringback echo`, and the processes that come after it.
final class Line {
    let first: Program
    let port: UInt16
    private(set) var current: Int32
    /// The settings of the service, where they are in a file.
    private var file: TemporaryFile?

    init(_ options: String...) throws {
        port = UInt16.random(in: 20000..<30000)
        let command = ["ringback", "echo", "--listen", "127.0.0.1:\(port)", "--no-pin"]
        first = try Program(command + options)
        current = first.identifier
        try first.waitUntilItSays("try: nc")
    }

    /// With settings that can be other ones at the next succession.
    ///
    /// - Parameter settings: lines of a file, such as `backend: epoll`.
    init(settings: String...) throws {
        port = UInt16.random(in: 20000..<30000)
        let file = TemporaryFile()
        try Line.write(settings, port, to: file)
        first = try Program(["ringback", "serve", "--config", file.path])
        self.file = file
        current = first.identifier
        try first.waitUntilItSays("try: nc")
    }

    deinit { if current != first.identifier { kill(current, SIGKILL) } }

    private static func write(_ settings: [String], _ port: UInt16, to file: TemporaryFile) throws {
        let lines = ["type: echo", "listen: 127.0.0.1:\(port)", "pin: false"] + settings
        let text = "services:\n  greet:\n" + lines.map { "    \($0)\n" }.joined()
        try text.write(toFile: file.path, atomically: false, encoding: .utf8)
    }

    /// The process of the moment gets a successor, and it has other settings where they are in a
    /// file.
    func succeed(settings: String...) throws {
        if let file, !settings.isEmpty { try Line.write(settings, port, to: file) }
        let before = successors.count
        kill(current, SIGUSR2)
        try first.waitUntilItSays(" takes over", times: before + 1)
        current = try #require(successors.last)
    }

    private var successors: [Int32] {
        said(/process (\d+) takes over/).compactMap { Int32($0) }
    }

    /// What stands in places of what all of the processes have said.
    func said(_ pattern: Regex<(Substring, Substring)>) -> [String] {
        first.errorsSoFar.matches(of: pattern).map { String($0.1) }
    }

    func client() throws -> TestClient {
        try TestClient(SocketAddress(parsing: "127.0.0.1:\(port)"))
    }

    /// Whether a process runs. One that has ended may be there until somebody takes note of it.
    func isThere(_ process: Int32) -> Bool {
        let path = "/proc/\(process)/stat"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        return !text.contains(") Z ")
    }

    /// Waits until the process of the moment has accepted so many.
    func waitUntilAccepted(_ count: Int) throws {
        let deadline = Date().addingTimeInterval(10)
        while said(/accepted=(\d+)/).last != "\(count)" {
            try #require(Date() < deadline)
            kill(current, SIGUSR1)
            usleep(20_000)
        }
    }

    /// Whether a process ends within a time by itself.
    func ends(_ process: Int32, seconds: Double = 5) throws -> Bool {
        if process == first.identifier { return try first.wait(seconds: seconds).status == 0 }
        let deadline = Date().addingTimeInterval(seconds)
        while isThere(process) {
            guard Date() < deadline else { return false }
            usleep(2000)
        }
        return true
    }

    func stop() throws {
        kill(current, SIGTERM)
        try #require(try ends(current, seconds: 15))
    }
}
