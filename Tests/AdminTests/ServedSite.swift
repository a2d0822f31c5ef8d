// A served site for tests, and the client's view of it.

import Foundation
import Net
import Support
import Synchronization
import Testing

@testable import Admin

/// What a client gets.
struct Response {
    let status: Int
    let headers: [String: String]
    let body: String

    /// What came until the end of the stream; nil where that is no response.
    init?(_ bytes: [UInt8]) {
        let parts = String(decoding: bytes, as: UTF8.self).split(
            separator: "\r\n\r\n",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard parts.count == 2 else { return nil }
        let lines = parts[0].components(separatedBy: "\r\n")
        guard lines[0].hasPrefix("HTTP/1.1 "), let status = Int(lines[0].split(separator: " ")[1])
        else { return nil }
        self.status = status
        headers = Dictionary(
            uniqueKeysWithValues: lines.dropFirst().map { line in
                let pair = line.components(separatedBy: ": ")
                return (pair[0].lowercased(), pair[1])
            }
        )
        body = String(parts[1])
    }
}

extension AdminServer {
    /// A server on a port that the kernel chooses, with a reading that may be changed.
    static func made(_ source: @escaping @Sendable () async -> ProcessReading = { .made() })
        throws -> AdminServer
    {
        let server = AdminServer(
            address: try AdminAddress(parsing: "127.0.0.1:0"),
            source: source
        )
        try server.start()
        return server
    }

    func client() throws -> TestClient {
        try TestClient(try SocketAddress(parsing: try #require(boundAddress)))
    }

    /// One request by itself.
    func ask(_ path: String, method: String = "GET", rest: String = "\r\n") throws -> Response {
        let client = try client()
        try client.send(Array("\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(rest)".utf8))
        return try #require(Response(try client.receiveToEnd()))
    }

    /// One request that has to be answered within a second.
    func askPromptly(_ path: String) throws {
        var status = 0
        let taken = try seconds { status = try ask(path).status }
        #expect(status == 200 && taken < 1, "\(status) after \(taken) s")
    }
}

/// Seconds that something takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let begin = Clock.monotonicNanoseconds()
    try body()
    return Double(Clock.monotonicNanoseconds() - begin) / 1e9
}

/// Descriptors of this process.
func descriptorCount() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
}

/// Waits until something holds, at most so long; returns whether it does.
func eventually(seconds: Double = 5, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while try !condition() {
        guard Date() < deadline else { return false }
        usleep(5000)
    }
    return true
}
