// Finding: what a case found wrong, in words and as a kind. The kinds are told apart as far as the
// bytes tell: lost, mixed, reordered, repeated and altered are different mistakes of a server.

/// The kinds of mistake.
public enum Fault: String, CaseIterable, Sendable {
    /// Bytes are missing in the middle.
    case lost
    /// Bytes of another connection came.
    case mixed
    /// Bytes came in another order.
    case reordered
    /// Bytes came twice.
    case repeated
    /// Bytes came that nobody sent.
    case altered
    /// More came than was sent.
    case surplus
    /// After our FIN the server's FIN came before all bytes had come back.
    case tailLost = "tail_lost"
    /// The server closed a connection that we had not finished.
    case closedFirst = "closed_first"
    /// The server sent RST.
    case reset
    /// Nothing more came in time.
    case silent
    /// Bytes were still coming at the end of the time.
    case slow
    /// The server took more than it may hold for a client that does not read.
    case unlimited
    /// No connection could be made.
    case unreachable
}

/// What was found wrong.
public struct Finding: Error, Equatable, Sendable {
    /// The kind.
    public let fault: Fault
    /// What should have been.
    public let expected: String
    /// What was.
    public let found: String
    /// Where in the connection's stream, if that says anything.
    public let offset: Int?

    init(_ fault: Fault, expected: String, found: String, offset: Int? = nil) {
        self.fault = fault
        self.expected = expected
        self.found = found
        self.offset = offset
    }
}

extension Finding {
    /// Judges the bytes from the first wrong one on.
    ///
    /// - Parameters:
    ///   - evidence: what came from `offset` on.
    ///   - sent: how much had been sent; nothing of the stream's own can come from further on.
    ///   - streams: how many streams there have been; a higher number is no stream.
    init(
        wrong evidence: [UInt8],
        at offset: Int,
        in stream: KeyedBytes,
        sent: Int,
        streams: UInt32
    ) {
        var shifts: [Int] = []
        var foreign: (number: UInt32, offset: Int, index: Int)?
        var index = 0
        evidence.withUnsafeBytes { bytes in
            while index + 8 <= bytes.count, foreign == nil {
                let word = UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                )
                let origin = KeyedBytes.origin(of: word, key: stream.key)
                if origin.number == stream.number, origin.offset < sent {
                    shifts.append(origin.offset - (offset + index))
                    index += 8
                } else if origin.number < streams, origin.number != stream.number,
                    origin.offset < 1 << 26
                {
                    foreign = (origin.number, origin.offset, index)
                } else {
                    index += 1
                }
            }
        }
        let expected = "byte \(offset) of the connection's own stream"
        if let foreign {
            self.init(
                .mixed,
                expected: expected,
                found: "bytes of another connection: number \(foreign.number), from its offset "
                    + "\(foreign.offset), in place of number \(stream.number)",
                offset: offset + foreign.index
            )
            return
        }
        var (fault, found) = Finding.judge(shifts, first: evidence.first ?? 0)
        guard fault == .altered, offset >= sent else {
            self.init(fault, expected: expected, found: found, offset: offset)
            return
        }
        (fault, found) = (.surplus, found + ", after all that was sent")
        self.init(fault, expected: "\(sent) bytes and no more", found: found, offset: offset)
    }

    /// Shifts say how far ahead of its place each recognised word is.
    private static func judge(_ shifts: [Int], first: UInt8) -> (Fault, String) {
        let ahead = shifts.first { $0 > 0 }
        let behind = shifts.first { $0 < 0 }
        switch (shifts.first, ahead, behind) {
        case (_, let ahead?, _?):
            return (
                .reordered, "bytes that belong \(ahead) bytes further on; those left out follow"
            )
        case (_, let ahead?, nil):
            return (.lost, "\(ahead) bytes are missing; what follows them stands here")
        case (_, nil, let behind?):
            return (.repeated, "bytes that belong \(-behind) bytes before, a second time")
        default:
            return (.altered, "the byte \(first), which nobody sent there")
        }
    }
}
