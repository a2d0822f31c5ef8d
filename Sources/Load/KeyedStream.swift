// KeyedStream: bytes that prove where they belong. Each connection has a stream of its own; every
// word of it is its connection's number and its position, scrambled by a function that can be
// undone. So a byte that is not the expected one can be asked whose it is.

/// The stream of bytes of one connection.
///
/// The stream consists of 8-byte words, little-endian. The word at position `w` (byte offset `8 w`)
/// of connection `c` is a bijection of `c << 40 | w` (c below 2^24, w below 2^40), keyed by the
/// run.
public struct KeyedStream: Equatable, Sendable {
    /// The connection's number.
    public let connection: UInt32
    private let key: UInt64

    /// The most connections of a run.
    public static let connectionLimit = 1 << 24

    /// The stream of a connection in the run with a key.
    @inline(__always)
    public init(connection: UInt32, key: UInt64) {
        self.connection = connection
        self.key = key
    }

    /// Writes the bytes from `offset` on.
    public func fill(_ bytes: inout MutableRawSpan, count: Int, from offset: UInt64) {
        precondition(count <= bytes.byteCount)
        var index = 0
        while index < count, (offset &+ UInt64(index)) & 7 != 0 {
            bytes.storeBytes(
                of: byte(at: offset &+ UInt64(index)),
                toByteOffset: index,
                as: UInt8.self
            )
            index += 1
        }
        var word = (offset &+ UInt64(index)) >> 3
        while index &+ 8 <= count {
            bytes.storeBytes(
                of: self.word(at: word).littleEndian,
                toByteOffset: index,
                as: UInt64.self
            )
            index &+= 8
            word &+= 1
        }
        while index < count {
            bytes.storeBytes(
                of: byte(at: offset &+ UInt64(index)),
                toByteOffset: index,
                as: UInt8.self
            )
            index += 1
        }
    }

    /// The index of the first byte that is not the stream's from `offset` on, or nil.
    public func firstMismatch(in bytes: RawSpan, from offset: UInt64) -> Int? {
        let count = bytes.byteCount
        var index = 0
        while index < count {
            let position = offset &+ UInt64(index)
            if position & 7 == 0, index &+ 8 <= count {
                let found = bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
                if UInt64(littleEndian: found) == word(at: position >> 3) {
                    index &+= 8
                    continue
                }
            }
            let found = bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            if found != byte(at: position) { return index }
            index &+= 1
        }
        return nil
    }

    /// The byte at an offset.
    func byte(at offset: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: word(at: offset >> 3) >> ((offset & 7) * 8))
    }

    @inline(__always)
    private func word(at position: UInt64) -> UInt64 {
        Scramble.forward((UInt64(connection) << 40 | position) ^ key)
    }

    /// Where a word comes from, if it is of a run with this key.
    static func origin(ofWord word: UInt64, key: UInt64) -> (connection: UInt32, offset: UInt64) {
        let plain = Scramble.backward(word) ^ key
        return (UInt32(truncatingIfNeeded: plain >> 40), (plain & ((1 << 40) - 1)) << 3)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
/// 2014) and its inverse.
private enum Scramble {
    @inline(__always)
    static func forward(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    static func backward(_ value: UInt64) -> UInt64 {
        var z = value
        z = z ^ (z >> 31) ^ (z >> 62)
        z = z &* 0x3196_42b2_d24d_8ec3
        z = z ^ (z >> 27) ^ (z >> 54)
        z = z &* 0x96de_1b17_3f11_9089
        return z ^ (z >> 30) ^ (z >> 60)
    }
}
