// The live line as a text, and on a pseudo-terminal that is read as a terminal would show it.

import Foundation
import Glibc
import Report
import Testing

struct LiveLineTests {
    private let moment = LiveMoment(
        elapsedNanoseconds: 12_300_000_000,
        messagesPerSecond: 312_400,
        p50: 45_200,
        p99: 120_400,
        errors: 0,
        sparkline: "\u{2581}\u{2583}\u{2585}\u{2587}"
    )

    private func plain(_ text: String) -> String {
        text.replacing(/\u{1b}\[[0-9;]*m/, with: "")
    }

    @Test func theLineSaysHowTheRunIsDoing() {
        #expect(
            LiveLine.text(moment, columns: 80, hasColour: false)
                == " 12 s   312 k/s  p50 45.2 us  p99  120 us  errors 0  " + moment.sparkline
        )
    }

    @Test func nothingAnsweredIsADash() {
        var silent = moment
        (silent.p50, silent.p99, silent.messagesPerSecond) = (nil, nil, 0)
        let text = LiveLine.text(silent, columns: 80, hasColour: false)
        #expect(text.hasPrefix(" 12 s       0/s  p50       -  p99       -  errors 0"))
    }

    @Test func theLineStandsStillWhateverTheFigures() {
        let first = LiveLine.text(moment, columns: 80, hasColour: false)
        var other = moment
        other.elapsedNanoseconds = 754_000_000_000
        (other.messagesPerSecond, other.p50, other.p99) = (7.5, 999, 1_230_000_000)
        let second = LiveLine.text(other, columns: 80, hasColour: false)
        #expect(second.hasPrefix("12:34    7.50/s  p50  999 ns  p99  1.23 s  errors 0"))
        #expect(first.count == second.count)
    }

    @Test(arguments: 1...100)
    func theLineIsNarrowerThanTheTerminal(columns: Int) {
        var long = moment
        long.sparkline = String(repeating: "\u{2588}", count: 300) + "\u{2581}"
        let text = LiveLine.text(long, columns: columns, hasColour: false)
        #expect(text.count <= columns - 1)
        #expect(plain(LiveLine.text(long, columns: columns, hasColour: true)) == text)
        // Of the sparkline the newest is kept.
        #expect(columns < 60 || text.hasSuffix("\u{2588}\u{2581}"))
    }

    @Test func errorsAreRed() {
        var broken = moment
        broken.errors = 1234
        let text = LiveLine.text(broken, columns: 80, hasColour: true)
        #expect(text.contains("\u{1b}[1;31m1,234\u{1b}[0m"))
        #expect(!LiveLine.text(moment, columns: 80, hasColour: true).contains("31m"))
    }

    // ---- on a terminal ----

    /// What a terminal got from a live line that was shown twice and ended.
    private func onTerminal(columns: UInt16, _ environment: [String: String]) throws -> String {
        var (master, terminal): (Int32, Int32) = (-1, -1)
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        try #require(openpty(&master, &terminal, nil, nil, &size) == 0)
        defer { close(master) }
        var line = LiveLine(descriptor: terminal, environment: { environment[$0] })
        line.show(moment)
        var next = moment
        next.messagesPerSecond = 7
        next.sparkline = ""
        line.show(next)
        line.end()
        line.end()
        // A mark at the end: a terminal that got nothing else must not keep the test waiting.
        _ = write(terminal, "#", 1)
        var text = ""
        var bytes = [UInt8](repeating: 0, count: 4096)
        while !text.hasSuffix("#") {
            let count = read(master, &bytes, bytes.count)
            try #require(count > 0)
            text += String(decoding: bytes[..<count], as: UTF8.self)
        }
        close(terminal)
        return String(text.dropLast())
    }

    @Test func theTerminalHasOneLineAndThenNone() throws {
        let text = try onTerminal(columns: 44, [:])
        #expect(!text.contains("\n"))
        var screen = Screen(columns: 44)
        var seen: [String] = []
        for part in text.split(separator: "\r") {
            screen.take("\r" + part)
            seen.append(screen.line)
        }
        #expect(screen.linesBegun == 1)
        #expect(seen.count == 3)
        #expect(seen[0] == " 12 s   312 k/s  p50 45.2 us  p99  120 us  ")
        #expect(seen[1] == " 12 s    7.00/s  p50 45.2 us  p99  120 us  ")
        #expect(seen[2] == "")
    }

    @Test func theTerminalHasColourUnlessItIsRefused() throws {
        #expect(try onTerminal(columns: 80, [:]).contains("\u{1b}[1m"))
        #expect(try onTerminal(columns: 80, ["NO_COLOR": ""]).contains("\u{1b}[1m"))
        let plainText = try onTerminal(columns: 80, ["NO_COLOR": "1"])
        #expect(plainText.contains("312 k/s"))
        #expect(plainText.replacing("\u{1b}[K", with: "").contains("\u{1b}") == false)
    }

    @Test func aTerminalWithoutAWidthIsTakenForEightyColumns() throws {
        #expect(try onTerminal(columns: 0, [:]).contains("\u{2587}"))
    }

    @Test func nothingIsWrittenWhereThereIsNoTerminal() throws {
        #expect(try onTerminal(columns: 80, ["TERM": "dumb"]) == "")
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        var line = LiveLine(descriptor: ends[1], environment: { _ in nil })
        line.show(moment)
        line.end()
        close(ends[1])
        var byte: UInt8 = 0
        #expect(read(ends[0], &byte, 1) == 0)
        close(ends[0])
    }
}

/// As much of a terminal as the live line needs: carriage return, erasing to the end, colours.
private struct Screen {
    let columns: Int
    private(set) var linesBegun = 1
    private var cells: [Character] = []
    private var column = 0

    init(columns: Int) { self.columns = columns }

    var line: String { String(cells) }

    mutating func take(_ text: String) {
        var rest = text[...]
        while let character = rest.first {
            if let erase = rest.prefixMatch(of: /\u{1b}\[K/) {
                rest = rest[erase.range.upperBound...]
                cells.removeLast(max(cells.count - column, 0))
            } else if let colour = rest.prefixMatch(of: /\u{1b}\[[0-9;]*m/) {
                rest = rest[colour.range.upperBound...]
            } else {
                rest.removeFirst()
                put(character)
            }
        }
    }

    private mutating func put(_ character: Character) {
        guard character != "\r" else {
            column = 0
            return
        }
        if character == "\n" || column == columns {
            linesBegun += 1
            (cells, column) = ([], 0)
        }
        if column < cells.count { cells[column] = character } else { cells.append(character) }
        column += 1
    }
}
