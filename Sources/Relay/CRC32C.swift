// CRC32C: the checksum of a PROXY header (Castagnoli's polynomial; RFC 4960, appendix B). A table
// of 256 entries is enough for some hundred bytes of a connection.

enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82f6_3b78
        }
    }

    /// The checksum of bytes as it is before it is put among them: with zeros in its field.
    static func checksum(of bytes: RawSpan, withoutField field: Range<Int>) -> UInt32 {
        var value = UInt32.max
        for place in 0..<bytes.byteCount {
            let byte = field.contains(place) ? 0 : bytes.byte(place)
            value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
        }
        return ~value
    }
}
