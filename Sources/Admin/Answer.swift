// Answer: a whole response of HTTP/1.1. Each is the last of its connection: a scrape every few
// seconds gains nothing from a connection that is kept, and what is kept has to be guarded.

/// A response.
struct Answer: Equatable {
    enum Status: String {
        case ok = "200 OK"
        case badRequest = "400 Bad Request"
        case notFound = "404 Not Found"
        case methodNotAllowed = "405 Method Not Allowed"
        case timeout = "408 Request Timeout"
        case headersTooLarge = "431 Request Header Fields Too Large"
        case internalError = "500 Internal Server Error"
        case unavailable = "503 Service Unavailable"
    }

    var status: Status
    var contentType = "text/plain; charset=utf-8"
    var headers: [(name: String, value: String)] = []
    var body: String

    /// One line of text.
    static func line(_ status: Status, _ text: String) -> Answer {
        Answer(status: status, body: text + "\n")
    }

    static func refusal(_ refusal: Request.Refusal) -> Answer {
        switch refusal {
        case .malformed: line(.badRequest, "this is no HTTP/1.1 request")
        case .tooLong:
            line(.headersTooLarge, "more than \(Request.bytesMax) bytes of request and headers")
        case .methodNotAllowed:
            Answer(
                status: .methodNotAllowed,
                headers: [("Allow", "GET, HEAD")],
                body: "only GET and HEAD are allowed\n"
            )
        }
    }

    static let overdue = line(.timeout, "the request did not come within 2 seconds")
    static let crowded = line(.unavailable, "too many connections to the admin endpoint")
    static let noReading = line(.unavailable, "the service did not say how it is in time")

    /// As it is sent.
    func bytes(isHead: Bool) -> [UInt8] {
        let fields =
            [
                ("Content-Type", contentType), ("Content-Length", "\(body.utf8.count)"),
                ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                ("Connection", "close"),
            ] + headers
        let lines = ["HTTP/1.1 \(status.rawValue)"] + fields.map { "\($0.0): \($0.1)" }
        let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
        return Array((isHead ? head : head + body).utf8)
    }

    static func == (one: Answer, other: Answer) -> Bool {
        one.bytes(isHead: false) == other.bytes(isHead: false)
    }
}
