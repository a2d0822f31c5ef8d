// What people read at the end of a run.

import Foundation
import Measure
import Report
import Testing

struct TextReportTests {
    private func line(_ start: String, of run: RunReport) -> String {
        TextReport.lines(run).first { $0.hasPrefix(start) } ?? "no line '\(start)'"
    }

    @Test func linesFitIntoAHundredColumnsAndHaveNoSpacesAtTheirEnds() {
        for run in [Sample.closed(), Sample.open(), Sample.invalid()] {
            for line in TextReport.lines(run) {
                #expect(line.count <= 100, "\(line)")
                #expect(!line.hasSuffix(" "), "'\(line)'")
            }
        }
    }

    @Test func theVerdictOnTheBytesStandsBesideTheSpeed() throws {
        let lines = TextReport.lines(Sample.invalid())
        let speed = try #require(lines.firstIndex { $0.hasPrefix("bytes ") })
        #expect(lines[speed + 1].hasPrefix("integrity    WRONG: lost=64 foreign=0 reordered=0"))
        #expect(lines[speed + 2].contains("first fault: connection 3, offset 12800"))
        #expect(line("integrity", of: Sample.closed()).contains("not checked (--verify"))
        #expect(line("integrity", of: Sample.open()).contains("every byte right: 31,998,720"))
    }

    @Test func bothLatenciesOfAnOpenLoopStandUnderEachOther() throws {
        let lines = TextReport.lines(Sample.open())
        let head = try #require(lines.firstIndex { $0.hasPrefix("latency ") })
        let rows = lines[head...(head + 2)].map {
            $0.split(separator: "  ", omittingEmptySubsequences: true).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
        #expect(rows[0] == ["latency", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"])
        #expect(rows[1].first == "intended")
        #expect(rows[2].first == "service")
        #expect(Set(rows.map(\.count)) == [8])
        // The cells of a column end at the same place.
        let ends = lines[head...(head + 2)].map { line in
            line.matches(of: /\S+(?: \S+)*/).dropFirst().map {
                line.distance(from: line.startIndex, to: $0.range.upperBound)
            }
        }
        #expect(Set(ends).count == 1)
        #expect(lines.joined(separator: " ").contains("At p99 it is 387 times as"))
    }

    @Test func aClosedLoopSaysWhatItCannotSee() {
        let text = TextReport.lines(Sample.closed())
            .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
        #expect(text.contains("a server that stalls is asked less often"))
        #expect(text.contains("--rate measures them"))
        #expect(!text.contains("intended"))
    }

    @Test func latenciesThatAgreeAreSaidToAgree() {
        var run = Sample.open()
        run.serviceLatency = run.latency
        #expect(TextReport.text(run).contains("At p99 they agree."))
    }

    @Test func errorsAreNamedByClass() {
        #expect(line("errors", of: Sample.open()) == "errors       none")
        let text = TextReport.text(Sample.invalid())
        for words in [
            "3 connects refused", "1 connects failed", "2 connects timed out",
            "12 connections reset", "4 connections closed early", "17 requests unanswered",
            "1,200 requests timed out",
        ] {
            #expect(text.replacing(/\n +/, with: " ").contains(words))
        }
    }

    @Test func bothSidesHaveTheirCost() {
        #expect(line("client", of: Sample.open()).contains("812 ns"))
        #expect(line("server", of: Sample.open()).contains("1.64 us"))
        #expect(line("server", of: Sample.closed()) == "no line 'server'")
        #expect(line("network", of: Sample.open()).contains("p50 21.0 us, max 380 us, 0 retrans"))
    }

    @Test func theLastWordIsWhetherTheRunCanBeBelieved() {
        #expect(line("audit", of: Sample.closed()) == "audit        VALID")
        #expect(line("audit", of: Sample.invalid()).contains("INVALID: the workers had no CPU"))
        #expect(TextReport.lines(Sample.invalid()).last?.contains("- 41 requests") == true)
        #expect(line("messages", of: Sample.invalid()).contains("cut short by signal 2"))
    }

    @Test func anEmptyRunHasALineForEverythingAndDividesByNothing() {
        let run = RunReport(manifest: Sample.manifest, plan: Sample.plan())
        #expect(line("messages", of: run).contains("0 in 0.00 s: 0 per second"))
        #expect(line("errors", of: run) == "errors       none")
    }
}
