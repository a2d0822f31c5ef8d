// WebPage: what a web server answers, read with TestClient, which shares nothing with our endpoint.

import Foundation
public import Net

/// An answer of a web server.
public struct WebPage {
    public let status: Int
    public let body: String

    /// Asks for a path.
    ///
    /// - Throws: `TestClient.CallFailed` where nobody listens or the connection breaks, and
    ///   `NoAnswer` where what comes is not HTTP.
    public init(_ path: String, from address: SocketAddress) throws {
        let client = try TestClient(address)
        // Of version 1.0, so that nobody answers in chunks.
        try client.send(Array("GET \(path) HTTP/1.0\r\nHost: a\r\n\r\n".utf8))
        let text = String(decoding: try client.receiveToEnd(), as: UTF8.self)
        guard let status = text.firstMatch(of: /^HTTP\/1\.[01] (\d+)/).flatMap({ Int($0.1) }),
            let head = text.firstRange(of: "\r\n\r\n")
        else { throw NoAnswer(said: text) }
        self.status = status
        body = String(text[head.upperBound...])
    }

    public struct NoAnswer: Error { public let said: String }
}

/// Waits until something is so, and says what it was at the end where it never is.
public func eventually<Value>(
    within seconds: Double = 20,
    _ value: () throws -> Value,
    is isSo: (Value) -> Bool
) throws -> Value {
    let deadline = Date().addingTimeInterval(seconds)
    while true {
        let now = try value()
        if isSo(now) || Date() >= deadline { return now }
        usleep(50_000)
    }
}
