// Base64: bytes as printable text (RFC 4648, section 4), with padding. Foundation has it too, and
// this room does without Foundation.

/// The ordinary alphabet of base64.
enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )
    private static let padding = UInt8(ascii: "=")
    /// The six bits of each letter; 255 for what is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    /// Bytes as text.
    static func encode(_ bytes: [UInt8]) -> String {
        var letters: [UInt8] = []
        letters.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group: UInt32 = 0
            for index in 0..<3 {
                group = group << 8 | (index < count ? UInt32(bytes[start + index]) : 0)
            }
            for index in 0..<4 {
                let letter = alphabet[Int(group >> (18 - 6 * index) & 63)]
                letters.append(index <= count ? letter : padding)
            }
        }
        return String(decoding: letters, as: UTF8.self)
    }

    /// Text as bytes; nil where it is not base64 with its padding.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var letters = Array(text.utf8)
        guard letters.count % 4 == 0 else { return nil }
        var padded = 0
        while padded < 2, letters.last == padding {
            letters.removeLast()
            padded += 1
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(letters.count / 4 * 3 + 2)
        var group: UInt32 = 0
        var bits = 0
        for letter in letters {
            let value = values[Int(letter)]
            guard value < 64 else { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> bits))
            }
        }
        // Bits that make no byte are zeros, or the same bytes would have several texts.
        return group & (1 << bits - 1) == 0 ? bytes : nil
    }
}
