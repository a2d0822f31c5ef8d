// Texts that are no YAML, or YAML that is meant to harm, and paths that lead to no text at all.

import Foundation
import Support
import Testing

@testable import Configuration

struct DocumentTests {
    @Test(arguments: [
        ("services: [a", "f:2:1: not YAML"),
        ("a: \"x\nb: y", "f:2:5: not YAML"),
        ("a: b: c", "f:1:5: not YAML"),
        ("\ta: b", "f:1:1: not YAML"),
        ("a: *nobody", "f:1:4: not YAML"),
        ("a: 1\n---\nb: 2", "f:2:1: not YAML"),
        ("a: 1\n b: 2", "f:2:3: not YAML"),
        ("# nothing\n", "f:1:1: the file has only comments"),
        ("a: \u{7}", "f:1:4: the character U+7 does not belong in a text"),
        ("a: b\nc: \0", "f:2:4: the character U+0 does not belong in a text"),
    ])
    func isNoConfiguration(_ text: String, _ words: String) {
        let lines = refusal(text)
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix(words) == true, "\(lines)")
    }

    /// Nine times nine times nine: the parser would compare all that they stand for.
    @Test func aliasesOfAliasesAreRefusedBeforeTheyAreParsed() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        text += "? *a30\n: 1\n? *a29\n: 2\n"
        let start = ContinuousClock.now
        #expect(
            refusal(text) == [
                "f:2:50: anchors and aliases are not read; put what is common under 'defaults'"
            ]
        )
        #expect(ContinuousClock.now - start < .seconds(1))
    }

    @Test func aFewAliasesAreRefusedWhereTheyAre() {
        let lines = refusal("services: {a: &x {type: toy}, b: *x}")
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("f:1:15: anchors and aliases are not read") == true)
    }

    /// Redis speaks like this.
    @Test func asterisksInQuotesAreNoAliases() {
        let ping = #"    owner: "*1\r\n$4\r\nPING\r\n""#
        let text = "services:\n  one:\n    type: toy\n"
        #expect(refusal(text + ping) == [])
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "[a: "])
    func deepNestingEndsInALine(_ opening: String) {
        let lines = refusal("a: 1\nb:\n  " + String(repeating: opening, count: 50_000))
        #expect(lines.count == 1)
        #expect(lines.first?.contains("nested too deeply") == true, "\(lines)")
    }

    @Test func aMarkOfTheByteOrderAndCarriageReturnsAreFine() {
        #expect(refusal("\u{FEFF}services:\r\n  one:\r\n    type: toy\r\n") == [])
        #expect(
            refusal("services:\r\n  one:\r\n    type: tox\r\n").first?.hasPrefix("f:3:11") == true
        )
    }

    // ---- files ----

    private func reading(_ path: String) -> String? {
        do throws(ConfigurationRefused) {
            _ = try TextFile.read(path)
            return nil
        } catch {
            return error.problems.count == 1 ? error.problems[0].description : nil
        }
    }

    @Test func pathsThatLeadNowhere() throws {
        #expect(reading("/nowhere/at/all") == "/nowhere/at/all: No such file or directory")
        #expect(reading("/tmp") == "/tmp: Is a directory")
        #expect(reading("") == ": '' is no name of a file")
        #expect(reading("/dev/zero")?.contains("larger than 1 MiB") == true)
        #expect(reading("/dev/null") == "/dev/null:1:1: the file is empty")
    }

    @Test func filesOfEverySize() throws {
        let file = TemporaryFile()
        func write(_ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(filePath: file.path))
        }
        let comment = Array(repeating: UInt8(ascii: "#"), count: TextFile.bytesMax)
        try write(comment)
        #expect(reading(file.path) == nil, "just small enough")
        try write(comment + comment.prefix(1))
        #expect(reading(file.path)?.contains("larger than 1 MiB") == true)
        try write(Array(" \n\t\r\n".utf8))
        #expect(reading(file.path) == "\(file.path):1:1: the file is empty")
        try write([0x61, 0xFF, 0x62])
        #expect(reading(file.path) == "\(file.path): this is no text in UTF-8")
        try write([0x7F, 0x45, 0x4C, 0x46])
        #expect(reading(file.path)?.hasPrefix("\(file.path):1:1: the character U+7F") == true)
    }

    @Test(.enabled(if: getuid() != 0)) func aFileThatMayNotBeRead() throws {
        let file = TemporaryFile()
        chmod(file.path, 0)
        #expect(reading(file.path) == "\(file.path): Permission denied")
    }
}
