// Searches and comparisons: as text, as JSON, and as pages.

import Foundation
import Load
import Measure
import Support
import Testing

@testable import Report

struct SeveralRunsTests {
    // ---- search ----

    @Test func aSearchIsWrittenAndReadAndToldFromARun() throws {
        let file = TemporaryFile()
        try ReportFile.writeJSON(Sample.search(), to: file.path)
        #expect(try ReportFile.read(SearchReport.self, from: file.path) == Sample.search())
        #expect {
            try ReportFile.read(RunReport.self, from: file.path)
        } throws: {
            "\($0)".hasSuffix("it is not the report of a run: 'plan' is missing")
        }
    }

    @Test func theTextOfASearchHasItsStepsAndItsAnswer() throws {
        let text = TextReport.text(Sample.search())
        let lines = text.components(separatedBy: "\n")
        #expect(lines.allSatisfy { $0.count <= 100 && !$0.hasSuffix(" ") } == true)
        let head = try #require(lines.firstIndex { $0.hasPrefix("asked ") })
        #expect(lines[head + 1].hasPrefix("10.0 k/s"))
        #expect(lines[head + 3].contains("12  missed  INVALID"))
        #expect(text.contains("knee         60.0 k/s at p99"))
        #expect(text.hasSuffix("67,500 per second keep the limit in 3 of 3 runs, 70,000 in 0 of 3"))
    }

    @Test func theKneeIsWhereLatencyBeginsToGrowFaster() {
        #expect(Sample.search().knee?.rate == 60_000)
        var straight = Sample.search()
        for index in straight.steps.indices {
            straight.steps[index].run.latency.p99 = 100_000
        }
        #expect(straight.knee == nil)
        var few = Sample.search()
        few.steps.removeLast(4)
        #expect(few.knee == nil)
    }

    @Test func thePageOfASearchShowsTheCurveTheLimitAndTheKnee() throws {
        let page = HTMLReport.page(Sample.search())
        try HTMLReportTests.check(page)
        try HTMLReportTests.keep(page, as: "search", height: 2600)
        let rendered = try Browser.measure(page, width: 1200)
        let curve = try #require(rendered.drawings.first)
        #expect(curve.title == "p99 by achieved rate")
        #expect(curve.lines == 1)
        #expect(curve.dots == 7)
        #expect(curve.legend == ["kept", "missed"])
        #expect(curve.marks == ["p99 <= 700 us", "answer 67.5 k/s", "knee 60.0 k/s"])
        #expect(rendered.drawings.last?.lines == 5)
        #expect(rendered.text.contains("the step at 80.0 k/s is INVALID: 4 % of the"))
    }

    @Test func aSearchThatFoundNothingHasAPage() throws {
        let search = SearchReport(
            manifest: Sample.manifest,
            limit: Sample.hostile,
            limitNanoseconds: nil,
            steps: [],
            answerPerSecond: nil,
            answer: Sample.hostile
        )
        let rendered = try Browser.measure(HTMLReport.page(search), width: 360)
        #expect(rendered.text.contains("No rate"))
        #expect(!TextReport.text(search).contains("\u{1b}"))
    }

    // ---- compare ----

    @Test func aComparisonIsWrittenAndRead() throws {
        let file = TemporaryFile()
        try ReportFile.writeJSON(Sample.compare(), to: file.path)
        #expect(try ReportFile.read(CompareReport.self, from: file.path) == Sample.compare())
    }

    @Test func theTextOfAComparisonHasRatiosIntervalsAndWords() throws {
        let text = TextReport.text(Sample.compare())
        let lines = text.components(separatedBy: "\n")
        #expect(lines.allSatisfy { $0.count <= 100 && !$0.hasSuffix(" ") } == true)
        let line = try #require(lines.first { $0.hasPrefix("p99 ") })
        let cells = ["121 us", "102 us", "0.843", "0.810 to 0.871", "<0.001"]
        #expect(cells.filter { !line.contains($0) } == [])
        #expect(text.contains("no difference above 3 % can be seen"))
        #expect(lines.last?.hasPrefix("finding      B has a p99 that is 16 % lower") == true)
    }

    @Test func thePageOfAComparisonShowsBothAndEveryBlock() throws {
        let page = HTMLReport.page(Sample.compare())
        try HTMLReportTests.check(page)
        try HTMLReportTests.keep(page, as: "compare", height: 3000)
        let rendered = try Browser.measure(page, width: 1200)
        let both = try #require(rendered.drawings.first { $0.title == "By percentile" })
        #expect(both.lines == 2)
        #expect(both.legend == ["A", "B"])
        let blocks = rendered.drawings.filter { $0.xLabels.first == "1" }
        #expect(blocks.map(\.title) == ["messages per second", "p99"])
        #expect(blocks.map(\.dots) == [16, 16])
        // The ratios are drawn in the table; that of the errors does not exist.
        let ratios = rendered.drawings.filter { $0.title.contains("B by A is") }
        #expect(
            ratios.map(\.title) == [
                "messages per second: B by A is 1.008", "p99: B by A is 0.843",
            ]
        )
        #expect(ratios[1].description == "interval 0.810 to 0.871")
        #expect(rendered.text.contains("Finding: B has a p99 that is 16 % lower"))
    }

    @Test func aComparisonOfWrongBytesIsNotToBeBelieved() throws {
        var comparison = Sample.compare()
        comparison.runB.integrity.lost = 7
        comparison.nameB = Sample.hostile
        let page = HTMLReport.page(comparison)
        #expect(!page.contains("<b "))
        let rendered = try Browser.measure(page, width: 360)
        #expect(rendered.text.contains("Not to be believed:"))
        #expect(rendered.text.contains("B: bytes WRONG: lost=7"))
    }
}
