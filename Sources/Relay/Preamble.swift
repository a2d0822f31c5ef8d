// Preamble: what precedes the forwarded bytes of a pair. From a proxy in front comes a PROXY
// header, to the upstream goes one, and with it what the client sent along with its own. Only pairs
// of which this is true have a preamble, and only until their upstream has got it.

import Engine
import Net

/// What precedes the bytes of one pair.
struct Preamble {
    /// Reads the client's header; nil where none is awaited (any more).
    var reader: ProxyHeaderReader?
    /// What the upstream is told.
    var header: ProxyHeader
    /// Bytes for the upstream before anything is forwarded to it, and how many of them it has got:
    /// at first what the client sent behind its header, then with the upstream's header before it.
    var bytes: [UInt8] = []
    var sentCount = 0

    /// Puts the upstream's header before the rest.
    mutating func begin(_ version: ProxyVersion?) {
        if let version { bytes.insert(contentsOf: header.encoded(as: version), at: 0) }
    }

    /// Moves what fits into a buffer.
    ///
    /// - Returns: how many bytes that were.
    mutating func move(into buffer: inout MutableRawSpan) -> Int {
        let count = min(buffer.byteCount, bytes.count - sentCount)
        buffer.withUnsafeMutableBytes {
            $0.copyBytes(from: bytes[sentCount..<sentCount + count])
        }
        sentCount += count
        return count
    }

    /// Whether everything has been moved.
    var isOver: Bool { sentCount == bytes.count }
}

/// Clients whose headers are awaited. All have the same time, so the first is the one that came
/// first.
struct HeaderQueue {
    struct Entry {
        let client: ConnectionID
        let place: Int
        let deadline: UInt64
    }

    private var entries: [Entry] = []
    private var head = 0

    var first: Entry? { head < entries.count ? entries[head] : nil }

    mutating func append(_ entry: Entry) { entries.append(entry) }

    mutating func removeFirst() {
        head += 1
        // Those taken out are dropped when they are half of all: a constant cost for each.
        guard head * 2 >= entries.count else { return }
        entries.removeFirst(head)
        head = 0
    }
}
