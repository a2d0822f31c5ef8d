// ComparedServer: one of two servers that are compared. It runs already, or it is saved as a file
// that says how to start it:
//
//     {"name": "io_uring", "target": "127.0.0.1:9001",
//      "command": ["ringback", "echo", "--listen", "127.0.0.1:9001", "--backend", "uring"]}

import FoundationEssentials
import Glibc
import Net
import Options

/// A server to measure.
final class ComparedServer {
    /// How to start a server.
    struct Saved: Codable {
        var name: String?
        var target: String
        var command: [String]
    }

    let name: String
    /// As the command line names it.
    let target: String
    /// The process that is accounted, if it is known.
    private(set) var process: Int32?
    private let isOurs: Bool

    private static let startSecondsMax: UInt64 = 10

    /// A server given as `HOST:PORT`, or as the path of a file.
    init(_ text: String, process: Int32?) throws {
        guard let saved = try ComparedServer.read(text) else {
            (name, target, self.process, isOurs) = (text, text, process, false)
            return
        }
        guard process == nil else {
            throw Failure(.usage, "'\(text)' is started here: its process cannot be given")
        }
        name = saved.name ?? text
        target = saved.target
        isOurs = true
        self.process = try ComparedServer.start(saved, text)
        try waitUntilItListens()
    }

    deinit { stop() }

    /// Ends a server that was started here.
    func stop() {
        guard isOurs, let process else { return }
        kill(process, SIGTERM)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        self.process = nil
    }

    private static func read(_ text: String) throws -> Saved? {
        guard text.hasSuffix(".json") else { return nil }
        do {
            let data = try Data(contentsOf: URL(filePath: text))
            let saved = try JSONDecoder().decode(Saved.self, from: data)
            guard !saved.command.isEmpty else { throw Failure(.usage, "'command' is empty") }
            return saved
        } catch {
            let form = #"{"target": "127.0.0.1:9001", "command": ["ringback", "echo", ...]}"#
            throw Failure(.usage, "'\(text)' names no server: it has to be a file like \(form)")
        }
    }

    private static func start(_ saved: Saved, _ text: String) throws -> Int32 {
        var process: pid_t = 0
        var arguments = saved.command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The signals that are blocked here are its own to handle, and so is Ctrl-C: it is ended
        // when the comparison is.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let result = posix_spawnp(&process, saved.command[0], nil, &attributes, &arguments, environ)
        guard result == 0 else {
            let cause = String(cString: strerror(result))
            throw Failure(.couldNotRun, "cannot start '\(saved.command[0])' of '\(text)': \(cause)")
        }
        return process
    }

    private func waitUntilItListens() throws {
        let deadline =
            Clock.monotonicNanoseconds() + ComparedServer.startSecondsMax * .nanosecondsPerSecond
        let address = try LoadOptions.resolve(target)
        while Clock.monotonicNanoseconds() < deadline {
            var status: Int32 = 0
            if let process, waitpid(process, &status, WNOHANG) == process {
                self.process = nil
                throw Failure(.couldNotRun, "the server '\(name)' ended before it listened")
            }
            if Socket.answers(address) { return }
            usleep(10_000)
        }
        stop()
        throw Failure(.couldNotRun, "the server '\(name)' does not listen on \(target)")
    }
}
