// The page of a run, as a browser shows it: at the width of a telephone and of a desk, light and
// dark.

import Foundation
import Load
import Measure
import Report
import Support
import Testing

struct HTMLReportTests {
    /// Where RINGBACK_PAGES names a folder, pages and pictures of them are left there to be looked
    /// at.
    private static let folder = ProcessInfo.processInfo.environment["RINGBACK_PAGES"]

    static func keep(_ page: String, as name: String, height: Int = 3000) throws {
        guard let folder else { return }
        try ReportFile.write(page, to: "\(folder)/\(name).html")
        for look in Look.all {
            try Browser.picture(
                page,
                to: "\(folder)/\(name)-\(look.width)\(look.isDark ? "-dark" : "").png",
                look,
                height: look.width < 600 ? height * 3 / 2 : height
            )
        }
    }

    /// What holds for every page, wherever it is looked at.
    static func check(_ page: String) throws {
        for (look, rendered) in zip(Look.all, try Browser.measure(page, Look.all)) {
            #expect(rendered.width == Double(look.width))
            #expect(rendered.contentWidth <= rendered.width)
            #expect(rendered.overflowing == [])
            #expect(rendered.colliding == [])
            #expect(rendered.faint == [])
            let paper = look.isDark ? "rgb(16, 20, 26)" : "rgb(255, 255, 255)"
            #expect(rendered.background == paper)
            for drawing in rendered.drawings {
                #expect(drawing.isInside, "\(drawing.title)")
                #expect(!drawing.title.isEmpty)
                #expect(!drawing.description.isEmpty)
            }
        }
        #expect(page.utf8.count < 100_000)
    }

    @Test func thePageFitsEverywhere() throws {
        let page = HTMLReport.page(Sample.open())
        try Self.check(page)
        try Self.keep(page, as: "open")
        let invalid = HTMLReport.page(Sample.invalid())
        try Self.check(invalid)
        try Self.keep(invalid, as: "invalid")
    }

    @Test func theCurvesOfAnOpenLoopAreDrawn() throws {
        let rendered = try Browser.measure(HTMLReport.page(Sample.open()), width: 1200)
        #expect(
            rendered.drawings.map(\.title) == ["By percentile", "Throughput", "Latency over time"]
        )
        let curves = rendered.drawings[0]
        #expect(curves.lines == 2)
        #expect(curves.legend == ["intended", "service"])
        #expect(curves.xLabels.prefix(5) == ["0", "50", "90", "99", "99.9"])
        #expect(curves.yLabels.contains("1 ms"))
        #expect(curves.width > 900)
        #expect(rendered.drawings[1].lines == 1)
        #expect(rendered.drawings[1].dots == 1)
        #expect(rendered.drawings[2].lines == 3)
        #expect(rendered.drawings[2].legend == ["max", "p99", "p50"])
    }

    @Test func aClosedLoopHasOneCurveAndSaysWhatItCannotSee() throws {
        let rendered = try Browser.measure(HTMLReport.page(Sample.closed()), width: 1200)
        #expect(rendered.drawings[0].lines == 1)
        #expect(rendered.text.contains("--rate measures them"))
        #expect(!rendered.text.contains("intended"))
    }

    @Test func everythingThatTheRunSaysIsOnThePage() throws {
        let rendered = try Browser.measure(HTMLReport.page(Sample.invalid()), width: 1200)
        #expect(
            rendered.tables == [
                "Percentiles", "Bytes", "Errors", "Network", "The load generator itself",
                "Cost of a message", "The plan", "The host",
            ]
        )
        for words in [
            "INVALID: the workers had no CPU for 12 % of the window", "41 requests that were due",
            "50.0 k/s", "connection 3, offset 12800: 64 bytes are missing", "connections reset",
            "1.64 \u{b5}s", "--server-metrics 'http://127.0.0.1:9100/metrics?a=1&b=it'\\''s'",
            "AMD EPYC 7B13", "cut short by signal 2", "21.0 \u{b5}s",
        ] {
            #expect(rendered.text.contains(words), "\(words)")
        }
    }

    @Test func thePageNeedsNothingAndRunsNothing() {
        let page = HTMLReport.page(Sample.invalid())
        #expect(page.contains("default-src 'none'"))
        #expect(!page.contains("<script"))
        #expect(page.firstMatch(of: /(src|href)="(?!data:,")/) == nil)
        #expect(!page.contains("url("))
        #expect(!page.contains("@import"))
    }

    @Test func whatOthersWroteIsTextAndNeverMarkup() throws {
        var run = Sample.invalid()
        run.plan.targets = [Sample.hostile]
        run.plan.size = Sample.hostile
        run.plan.arrivals = Sample.hostile
        run.plan.backendExplanation = Sample.hostile
        run.audit.verdict = "INVALID: " + Sample.hostile
        run.audit.notes = [Sample.hostile]
        run.integrity.firstFault = Sample.hostile
        run.manifest.command = [Sample.hostile]
        run.manifest.version = Sample.hostile
        run.manifest.startedAt = Sample.hostile
        run.manifest.host = [Sample.hostile: Sample.hostile]
        let page = HTMLReport.page(run)
        #expect(!page.contains("<b "))
        #expect(!page.contains("onload=\"x"))
        #expect(!page.contains("\u{1b}"))
        let rendered = try Browser.measure(page, width: 360)
        #expect(rendered.text.contains("<b onload=\"x()\">&'; \u{fffd}[31m,\"q\""))
        #expect(rendered.overflowing == [])
        // The same text as lines cannot take over a terminal.
        #expect(!TextReport.text(run).contains("\u{1b}"))
    }

    @Test func aRunOfNothingHasAPageToo() throws {
        let run = RunReport(manifest: Sample.manifest, plan: Sample.plan())
        let rendered = try Browser.measure(HTMLReport.page(run), width: 360)
        #expect(rendered.drawings.isEmpty)
        #expect(rendered.text.contains("VALID"))
    }

    @Test func aLongRunStaysSmallAndLosesNoBadMoment() throws {
        var run = Sample.open()
        let first = run.intervals[0]
        run.intervals = (0..<50_000).map { index in
            var interval = first
            interval.startNanoseconds = UInt64(index) * 1_000_000_000
            interval.max = index == 31_234 ? 9_000_000_000 : 900_000
            interval.messagesPerSecond = index == 31_234 ? .nan : 50_000
            if index == 777 { (interval.p50, interval.p99, interval.max) = (0, 0, 0) }
            return interval
        }
        let page = HTMLReport.page(run)
        #expect(page.utf8.count < 100_000)
        let rendered = try Browser.measure(page, width: 1200)
        #expect(rendered.drawings[2].description.contains("The longest was 9.00 s"))
        #expect(rendered.drawings[2].xLabels.contains("4 h"))
        #expect(rendered.drawings.filter { !$0.isInside }.isEmpty)
    }
}
