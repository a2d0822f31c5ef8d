// EscapedText: bytes as they are written on a command line, where not all of them can be typed.

/// Bytes written as text with escapes.
public enum EscapedText {
    /// What is wrong with a text.
    public struct Problem: Error, Equatable, CustomStringConvertible {
        /// In one line.
        public let description: String
    }

    /// Reads `PING\r\n` and `\x00\x01`: escapes are `\r`, `\n`, `\t`, `\\` and `\xHH`; everything
    /// else is itself.
    public static func bytes(of text: String) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == backslash else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case backslash: bytes.append(backslash)
            case UInt8(ascii: "x"):
                let digits = rest.prefix(2)
                guard digits.count == 2, digits.allSatisfy(isHexadecimal),
                    let number = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
                else { throw Problem(description: "\\x wants two hexadecimal digits") }
                rest = rest.dropFirst(2)
                bytes.append(number)
            default:
                throw Problem(description: "escapes are \\r, \\n, \\t, \\\\ and \\xHH")
            }
        }
        return bytes
    }

    private static let backslash = UInt8(ascii: "\\")

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...70, 97...102: true
        default: false
        }
    }
}
