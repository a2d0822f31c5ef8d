// The table of `ringback top`: rates from two documents, and what must not be made of them.

import Engine
import Foundation
import Testing

@testable import Admin

struct LiveTableTests {
    private func documents(_ change: (inout StatusDocument) -> Void) -> (
        StatusDocument, StatusDocument
    ) {
        let before = StatusDocument(.made())
        var now = before
        now.readAtSeconds += 2
        change(&now)
        return (now, before)
    }

    /// The words of the line that begins with some.
    private func words(_ lines: [String], _ start: String...) throws -> [Substring] {
        let rows = lines.map { $0.split(separator: " ") }
        return try #require(rows.first { $0.starts(with: start.map { $0[...] }) }, "\(lines)")
    }

    @Test func ratesAreOfASecond() throws {
        let (now, before) = documents { now in
            now.services[0].counters["receives"]! += 50_000
            now.services[0].counters["bytes_received"]! += 3_000_000
            now.services[0].workers[0].counters["accepted"]! += 7
            now.process!.processorSeconds += 0.5
        }
        let lines = LiveTable.lines(now, since: before)
        let all = try words(lines, "echo", "all")
        #expect(
            all[2...] == ["7", "of", "200", "0", "25.0k", "1.5", "MB", "0", "B", "0", "0", "0"]
        )
        let worker = try words(lines, "0", "uring")
        #expect(worker[5] == "3.5")
        #expect(lines[0].contains("serving") && lines[0].contains("CPU 25 %"))
    }

    /// The first look, and a look at another process than before, say nothing of rates.
    @Test func nobodyKnowsYet() throws {
        let first = LiveTable.lines(StatusDocument(.made()), since: nil)
        #expect(try words(first, "echo", "all").suffix(7).allSatisfy { $0 == "-" })
        let (now, before) = documents { $0.startedAtSeconds += 1 }
        let successor = LiveTable.lines(now, since: before)
        #expect(try words(successor, "echo", "all").suffix(7).allSatisfy { $0 == "-" })
    }

    @Test func upstreamsAndDrainsAreSaid() throws {
        let lines = LiveTable.lines(StatusDocument(.made(.draining)), since: nil)
        #expect(lines[0].contains("draining") && lines[0].contains("10 connections left"))
        #expect(try words(lines, "web", "10.0.0.2:80")[2] == "DOWN")
        #expect(try words(lines, "web", "10.0.0.1:80")[2] == "up")
    }

    @Test func columnsStandUnderEachOther() {
        let lines = LiveTable.lines(StatusDocument(.made()), since: nil)
        let table = lines.dropFirst(2).prefix { !$0.isEmpty }
        #expect(table.count == 6)
        #expect(Set(table.map(\.count)).count == 1, "\(table)")
    }
}
