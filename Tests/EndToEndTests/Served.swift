// Served: `ringback serve` with an echo and an admin endpoint, and what that says.

import Foundation
import Net
import Support

/// `ringback serve` with an admin endpoint.
final class Served {
    let program: Program
    let file = TemporaryFile()
    let port = UInt16.random(in: 20000..<25000)
    let adminPort: UInt16
    private let workers: Int

    init(
        _ more: String = "",
        workers: Int = 2,
        wrapper: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        adminPort = port + 5000
        self.workers = workers
        try Self.write(file, port, adminPort, workers, more)
        program = try Program(
            wrapper + ["ringback", "serve", "--config", file.path],
            environment: environment
        )
        try program.waitUntilItSays("try: nc")
    }

    private static func write(
        _ file: TemporaryFile,
        _ port: UInt16,
        _ adminPort: UInt16,
        _ workers: Int,
        _ more: String
    ) throws {
        let text =
            "admin: 127.0.0.1:\(adminPort)\nservices:\n  greet:\n    type: echo\n"
            + "    listen: 127.0.0.1:\(port)\n    workers: \(workers)\n    pin: false\n" + more
        try text.write(toFile: file.path, atomically: true, encoding: .utf8)
    }

    func reload(_ more: String) throws {
        try Self.write(file, port, adminPort, workers, more)
        program.signal(SIGHUP)
        try program.waitUntilItSays(" reloaded")
    }

    func get(_ path: String) throws -> WebPage {
        try WebPage(path, from: SocketAddress(parsing: "127.0.0.1:\(adminPort)"))
    }

    /// The sum of a metric's samples, those with some label alone.
    func sum(of name: String, with label: String = "") throws -> Int {
        // A reading is kept for a moment.
        usleep(150_000)
        return try get("/metrics").body.split(separator: "\n")
            .filter { $0.hasPrefix(name) && (label.isEmpty || $0.contains(label)) }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
            .reduce(0) { $0 + Int($1) }
    }

    func client() throws -> TestClient {
        try TestClient(SocketAddress(parsing: "127.0.0.1:\(port)"))
    }
}
