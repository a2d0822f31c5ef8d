// The page as Chromium shows it, while the figures behind it change and when the server goes away.

import Engine
import Foundation
import Support
import Synchronization
import Testing

@testable import Admin

/// Readings that go on as if a service were at work: 2,000 accepts, 50,000 messages of 1 KiB and a
/// quarter of a CPU each second, four times as much on epoll.
private final class Working: Sendable {
    private let state = Mutex(ProcessState.serving)
    private let begin = Date().timeIntervalSince1970

    func set(_ new: ProcessState) { state.withLock { $0 = new } }

    func reading() -> ProcessReading {
        var reading = ProcessReading.made(state.withLock { $0 })
        let elapsed = reading.readAtSeconds - begin
        reading.startedAtSeconds = begin - 3700
        for number in 0..<2 {
            let share = number == 0 ? 0.2 : 0.8
            reading.services[0].workers[number].connections = 40 + Int(elapsed)
            var counters = Counters()
            counters.accepted = UInt64(elapsed * 2000 * share)
            counters.receives = UInt64(elapsed * 50000 * share)
            counters.bytesReceived = counters.receives * 1024
            counters.bytesSent = counters.bytesReceived
            counters.turns = counters.receives / 10
            counters.starved = UInt64(number * 17)
            reading.services[0].workers[number].counters = counters
        }
        reading.services[1].workers[0].counters = Counters()
        reading.figures?.processorSeconds = elapsed / 4
        return reading
    }
}

@Suite(.serialized) struct PageTests {
    private static let hasChromium =
        (try? Program.shell("command -v chromium").status == 0) ?? false

    @Test(
        .enabled(if: hasChromium, "chromium is not installed; scripts/setup.sh installs it"),
        arguments: [(1000, false), (360, true)]
    )
    func theFiguresLive(_ width: Int, _ isDark: Bool) throws {
        let working = Working()
        let server = try AdminServer.made { working.reading() }
        let address = "http://\(try #require(server.boundAddress))/"
        let pictures = ProcessInfo.processInfo.environment["RINGBACK_PAGES"].map {
            "\($0)/admin-\(width)-\(isDark ? "dark" : "light")"
        }
        let browser = try LiveBrowser(address, width: width, isDark: isDark, pictures: pictures)
        let first = try browser.sight { $0.curves == 6 }
        #expect(first.mood == "good" && first.state == "Serving." && first.title == "ringback")
        let accepts = try #require(number(first.headlines["Accepts"], " k/s"))
        let messages = try #require(number(first.headlines["Messages"], " k/s"))
        #expect(abs(accepts - 2) < 0.4 && abs(messages - 50) < 10, "\(first.headlines)")
        #expect(abs(try #require(number(first.headlines["In"], " MiB/s")) - 48.8) < 10)
        #expect(abs(try #require(number(first.headlines["CPU"], " %")) - 25) < 5)
        #expect(first.cells["Workers/Backend/Worker 1"] == "epoll")
        #expect(first.cells["Workers/Starved/Worker 1"] == "17")
        #expect(abs((number(first.cells["Workers/Messages/Worker 1"], " k/s") ?? 0) - 40) < 8)
        #expect(first.cells["Upstreams/10.0.0.2:80/State"] == "down")
        let later = try browser.sight {
            $0.headlines["Open connections"] != first.headlines["Open connections"]
        }
        #expect(later.headlines["Open connections"] != first.headlines["Open connections"])
        #expect(later.bare == 0 && later.faint == [] && later.contentWidth <= later.width)

        working.set(.draining)
        let draining = try browser.sight { $0.mood == "wait" }
        #expect(draining.state.hasPrefix("Draining: accepts no more, and ends when "))
        #expect(draining.title == "! ringback" && draining.faint == [])
        server.stop()
        let gone = try browser.sight { $0.mood == "bad" }
        #expect(gone.state.hasPrefix("The server does not answer any more. The figures are those"))
        #expect(gone.faint == [] && gone.problems == [], "\(gone)")
    }

    /// The page itself is behind its server: what the policy does not name, it does not do.
    @Test func thePolicyIsOfThisAnswer() throws {
        let server = try AdminServer.made()
        let pages = try (0..<2).map { _ in try server.ask("/") }
        let policies = pages.map { $0.headers["content-security-policy"] ?? "" }
        #expect(policies[0] != policies[1])
        for (page, policy) in zip(pages, policies) {
            let nonce = try #require(policy.firstMatch(of: /script-src 'nonce-([0-9-]+)'/)).output.1
            #expect(page.body.contains("<script nonce=\"\(nonce)\">"))
            #expect(policy.hasPrefix("default-src 'none'"))
            #expect(page.body.firstMatch(of: /(?:src|href)="(?:https?:)?\/\//) == nil)
        }
        server.stop()
    }

    private func number(_ text: String?, _ unit: String) -> Double? {
        guard let text, text.hasSuffix(unit) else { return nil }
        return Double(text.dropLast(unit.count))
    }
}
