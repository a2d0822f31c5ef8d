// TextFile: a configuration file as text, or one line that says why it is none. A path that leads
// somewhere else by mistake, to a disk or a log, is to be refused before it is read to its end.

import Glibc

enum TextFile {
    /// Far more than anybody writes by hand.
    static let bytesMax = 1 << 20

    /// The text of a file.
    static func read(_ path: String) throws(ConfigurationRefused) -> String {
        let bytes = try bytes(of: path)
        guard bytes.contains(where: { !" \t\r\n".utf8.contains($0) }) else {
            throw refusal(.start(of: path), "the file is empty")
        }
        return try text(bytes, file: path)
    }

    private static func bytes(of path: String) throws(ConfigurationRefused) -> [UInt8] {
        let whole = Place.whole(path)
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw refusal(whole, "'\(path)' is no name of a file")
        }
        // `open` of a pipe waits for who writes; of a directory it succeeds, and reading fails.
        guard let file = fopen(path, "re") else { throw refusal(whole, failure) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 {
            bytes += piece.prefix(count)
            guard bytes.count <= bytesMax else {
                throw refusal(whole, "the file is larger than 1 MiB, so it is something else")
            }
        }
        guard ferror(file) == 0 else { throw refusal(whole, failure) }
        return bytes
    }

    /// The text of bytes that YAML may consist of.
    static func text(_ bytes: [UInt8], file: String) throws(ConfigurationRefused) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw refusal(.whole(file), "this is no text in UTF-8")
        }
        var (line, column) = (1, 1)
        for scalar in text.unicodeScalars {
            guard isText(scalar) else {
                let number = String(scalar.value, radix: 16, uppercase: true)
                throw refusal(
                    Place(file: file, line: line, column: column),
                    "the character U+\(number) does not belong in a text; is this a binary file?"
                )
            }
            (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
        }
        return text
    }

    /// The characters that YAML allows, where they are not escaped.
    private static func isText(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFFFD, 0x10000...:
            true
        default: false
        }
    }

    private static func refusal(_ place: Place, _ message: String) -> ConfigurationRefused {
        ConfigurationRefused([Problem(.file(place), message)])
    }

    /// Why the last call failed, in the C library's words.
    private static var failure: String { String(cString: strerror(errno)) }
}
