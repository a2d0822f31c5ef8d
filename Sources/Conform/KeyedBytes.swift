// KeyedBytes: what the clients send. Each connection has a stream of its own, and every word of it
// says whose it is and where it belongs, so a byte in the wrong place can be asked where it comes
// from. Load has a stream like it; this one is separate, as a judge of the load's server should be.

/// The bytes of one connection: little-endian words, each a bijection of the connection's number
/// (24 bits) and the word's position (40 bits), keyed by the run.
struct KeyedBytes {
    let number: UInt32
    let key: UInt64

    /// Writes the bytes from `offset` on.
    func fill(_ bytes: UnsafeMutableRawBufferPointer, from offset: Int) {
        var index = 0
        while index < bytes.count {
            if (offset + index) & 7 == 0, index + 8 <= bytes.count {
                let word = word(at: (offset + index) >> 3).littleEndian
                bytes.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
                index += 8
            } else {
                bytes[index] = byte(at: offset + index)
                index += 1
            }
        }
    }

    /// The index of the first byte that is not the stream's from `offset` on, or nil.
    func firstMismatch(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        var index = 0
        while index < bytes.count {
            if (offset + index) & 7 == 0, index + 8 <= bytes.count {
                let found = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                if UInt64(littleEndian: found) == word(at: (offset + index) >> 3) {
                    index += 8
                    continue
                }
            }
            if bytes[index] != byte(at: offset + index) { return index }
            index += 1
        }
        return nil
    }

    /// The byte at an offset.
    func byte(at offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: word(at: offset >> 3) >> UInt64((offset & 7) * 8))
    }

    private func word(at position: Int) -> UInt64 {
        KeyedBytes.scramble((UInt64(number) << 40 | UInt64(position)) ^ key)
    }

    /// Whose a word is, if it is of a run with this key.
    static func origin(of word: UInt64, key: UInt64) -> (number: UInt32, offset: Int) {
        let plain = unscramble(word) ^ key
        return (UInt32(plain >> 40), Int(plain & (1 << 40 - 1)) << 3)
    }

    // The finalizer of SplitMix64 and its inverse.

    private static func scramble(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    private static func unscramble(_ value: UInt64) -> UInt64 {
        var z = value
        z = z ^ (z >> 31) ^ (z >> 62)
        z = z &* 0x3196_42b2_d24d_8ec3
        z = z ^ (z >> 27) ^ (z >> 54)
        z = z &* 0x96de_1b17_3f11_9089
        return z ^ (z >> 30) ^ (z >> 60)
    }
}
