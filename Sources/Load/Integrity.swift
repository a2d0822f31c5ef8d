// Integrity: the verdict on what came back. Bytes that are missing, of another connection, or out
// of place are told apart, and the first fault is named with its exact offset.

import Synchronization

/// What verification found.
public struct Integrity: Codable, Equatable, Sendable {
    /// Bytes that were checked and right.
    public var verifiedBytes: UInt64 = 0
    /// Bytes that were sent and never came back.
    public var lost: UInt64 = 0
    /// Bytes that came and were never sent on that connection.
    public var foreign: UInt64 = 0
    /// Bytes that were sent on that connection, but came again or too late.
    public var reordered: UInt64 = 0
    /// The first fault in words.
    public var firstFault: String?

    /// Nothing checked, nothing found.
    public init() {}

    /// Whether every byte was as sent.
    public var isClean: Bool { lost == 0 && foreign == 0 && reordered == 0 }

    enum CodingKeys: String, CodingKey {
        case verifiedBytes = "verified_bytes"
        case lost, foreign, reordered
        case firstFault = "first_fault"
    }

    /// Adds another verdict.
    public mutating func add(_ other: Integrity) {
        verifiedBytes += other.verifiedBytes
        lost += other.lost
        foreign += other.foreign
        reordered += other.reordered
        firstFault = firstFault ?? other.firstFault
    }
}

/// Bytes from the first wrong one on, until there are enough to tell whose they are, and whether
/// those that are missing come late.
struct Evidence: Sendable {
    let stream: KeyedStream
    /// The offset of the first wrong byte in its stream.
    let offset: UInt64
    private(set) var bytes: [UInt8] = []

    /// A word and seven bytes: some alignment of it is a whole word of the stream it came from.
    static let bytesWanted = 15

    /// How far late bytes are waited for.
    static let bytesMax = 64 << 10

    /// Whether it can be told whose bytes these are.
    var isTelling: Bool { bytes.count >= Evidence.bytesWanted }
    var isFull: Bool { bytes.count == Evidence.bytesMax }

    init(stream: KeyedStream, offset: UInt64) {
        self.stream = stream
        self.offset = offset
    }

    mutating func add(_ more: RawSpan) {
        for index in 0..<min(more.byteCount, Evidence.bytesMax - bytes.count) {
            bytes.append(more.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
    }

    /// Judges the evidence. What it calls lost may still come, and is then reordered.
    ///
    /// - Parameters:
    ///   - byteCount: how many bytes the fault has cost so far.
    ///   - sentBytes: how many bytes a connection of the run has sent, or nil for no connection.
    func judge(
        byteCount: UInt64,
        key: UInt64,
        sentBytes: (UInt32) -> UInt64?
    ) -> Integrity {
        var verdict = Integrity()
        let place = "connection \(stream.connection), offset \(offset): "
        guard let origin = origin(key: key, sentBytes: sentBytes) else {
            verdict.foreign = byteCount
            verdict.firstFault = place + "bytes that no connection has sent"
            return verdict
        }
        if origin.connection != stream.connection {
            verdict.foreign = byteCount
            verdict.firstFault =
                place + "bytes of connection \(origin.connection), offset \(origin.offset)"
        } else if origin.offset > offset {
            let gap = origin.offset - offset
            if isLate(gap) {
                verdict.reordered = gap
                verdict.firstFault = place + "\(gap) bytes came after later ones"
            } else {
                verdict.lost = gap
                verdict.firstFault = place + "\(gap) bytes are missing"
            }
        } else {
            verdict.reordered = byteCount
            verdict.firstFault = place + "bytes of offset \(origin.offset) again or too late"
        }
        return verdict
    }

    /// Whether the missing bytes are among those that came since. Fewer than 8 of them could be
    /// there by chance.
    private func isLate(_ gap: UInt64) -> Bool {
        guard gap >= 8 else { return false }
        let missing = (0..<min(gap, 16)).map { stream.byte(at: offset + $0) }
        return bytes.indices.dropLast(missing.count - 1)
            .contains { bytes[$0...].starts(with: missing) }
    }

    private func origin(
        key: UInt64,
        sentBytes: (UInt32) -> UInt64?
    ) -> (connection: UInt32, offset: UInt64)? {
        for shift in 0..<8 where shift + 8 <= bytes.count {
            var word: UInt64 = 0
            for index in 0..<8 { word |= UInt64(bytes[shift + index]) << (8 * UInt64(index)) }
            let found = KeyedStream.origin(ofWord: word, key: key)
            guard let sent = sentBytes(found.connection), found.offset < sent,
                found.offset >= UInt64(shift)
            else { continue }
            return (found.connection, found.offset - UInt64(shift))
        }
        return nil
    }
}
