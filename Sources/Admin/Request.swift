// Request: the first line of a request of HTTP/1.x, which is all that a few pages without
// parameters have to know of it. Nothing is believed: what does not look like HTTP is refused at
// its first byte, and what is too long is refused before it is whole.

/// What was asked for.
struct Request: Equatable {
    /// A request line and its headers must fit into this.
    static let bytesMax = 8192

    var isHead: Bool
    /// Without what follows a question mark.
    var path: String

    /// How far a request has come.
    enum Progress: Equatable {
        case incomplete
        case whole(Request)
        case refused(Refusal)
    }

    /// Why there is no request.
    enum Refusal: Equatable {
        case malformed
        case tooLong
        case methodNotAllowed
    }

    /// Looks at what has come.
    ///
    /// - Parameter lookedAt: how many of the bytes were looked at before, when less had come.
    static func read(_ bytes: [UInt8], lookedAt: Int) -> Progress {
        guard !bytes[lookedAt...].contains(where: isForeign) else { return .refused(.malformed) }
        // An end of line that was the last byte before belongs to the end that comes now.
        guard hasBlankLine(bytes[max(0, lookedAt - 3)...]) else {
            return bytes.count < bytesMax ? .incomplete : .refused(.tooLong)
        }
        let line = bytes.prefix { $0 != newline && $0 != carriageReturn }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, words[2].starts(with: "HTTP/1.".utf8), !words[0].isEmpty,
            words[0].allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
        else { return .refused(.malformed) }
        let method = String(decoding: words[0], as: UTF8.self)
        guard method == "GET" || method == "HEAD" else { return .refused(.methodNotAllowed) }
        let path = words[1].prefix { $0 != UInt8(ascii: "?") }
        return .whole(
            Request(isHead: method == "HEAD", path: String(decoding: path, as: UTF8.self))
        )
    }

    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// Control characters have no place in a request but for ends of lines and tabulators.
    private static func isForeign(_ byte: UInt8) -> Bool {
        byte < 0x20 && byte != newline && byte != carriageReturn && byte != UInt8(ascii: "\t")
            || byte == 0x7f
    }

    /// Whether the headers end in here.
    private static func hasBlankLine(_ bytes: ArraySlice<UInt8>) -> Bool {
        var isAtStart = false
        for byte in bytes {
            if byte == newline {
                if isAtStart { return true }
                isAtStart = true
            } else if byte != carriageReturn {
                isAtStart = false
            }
        }
        return false
    }
}
