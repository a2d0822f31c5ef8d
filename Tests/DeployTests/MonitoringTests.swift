// The alert rules and the dashboard: promtool runs the rules' own tests and parses every query, and
// whatever they ask for is something that the service says.

import Foundation
import Support
import Testing

/// The metrics that `ringback serve` has, with their labels beside `job` and `instance`: as an echo
/// and a relay that run say them, and what Prometheus adds.
private let known: [String: Set<String>] = {
    var metrics: [String: Set<String>] = [
        "up": [], "ALERTS": ["alertname", "alertstate", "severity", "service"],
    ]
    let socket = NSTemporaryDirectory() + "ringback-\(UUID().uuidString.prefix(8))"
    let file = TemporaryFile()
    let settings = """
        admin: unix:\(socket)
        services:
          greet: {type: echo, listen: "127.0.0.1:0", max-connections: 10}
          web: {type: relay, listen: "127.0.0.1:0", to: "127.0.0.1:9", max-connections: 10}
        """
    file.handle.write(Data(settings.utf8))
    guard let served = try? Program(["ringback", "serve", "--config", file.path]) else {
        return [:]
    }
    let ask = "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | nc -U -w 2 \(socket)"
    try? served.waitUntilItSays("web on")
    let said = try? Program.shell(ask).output
    served.signal(SIGTERM)
    _ = try? served.wait()
    for line in (said ?? "").split(separator: "\n") where !line.hasPrefix("#") {
        guard let sample = line.prefixMatch(of: #/(\w+)(?:\{(.*)\})?\s/#) else { continue }
        let labels = (sample.2 ?? "").matches(of: #/(\w+)="/#).map { String($0.1) }
        metrics[String(sample.1), default: []].formUnion(labels)
    }
    return metrics
}()

@Suite(.enabled(if: Tools.areThere && Place.hasBinaries, "make deploy-tools and build first"))
struct MonitoringTests {
    private let rules = try! Tools.text("prometheus/rules.yaml")
    private let dashboard = try! Dashboard.read()

    private func promtool(_ arguments: String) throws -> Ended {
        try Program.shell("cd \(Tools.deploy)/prometheus && \(Tools.folder)/promtool \(arguments)")
    }

    @Test func theRulesPassTheirTests() throws {
        let ended = try promtool("test rules rules_test.yaml")
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
    }

    /// Each alert fires in one test and is silent in the other.
    @Test func everyRuleIsTested() throws {
        let alerts = rules.matches(of: /- alert: (\w+)/).map { String($0.output.1) }
        let tests = try Tools.text("prometheus/rules_test.yaml")
        #expect(alerts.count >= 10)
        #expect(alerts.filter { !tests.contains("alertname: \($0)}") } == [])
        #expect(alerts.filter { !tests.contains("alertname=\"\($0)\"") } == [])
    }

    /// Queries as recording rules, which promtool parses.
    private func parse(_ queries: [String]) throws -> Ended {
        let folder = try TemporaryFolder()
        let records = queries.enumerated().map { number, query in
            let text = Dashboard.filled(query).replacing("'", with: "''")
            return "  - {record: query_\(number), expr: '\(text)'}\n"
        }
        let text = "groups:\n- name: queries\n  rules:\n" + records.joined()
        let path = try folder.write(text, to: "queries.yaml")
        return try promtool("check rules \(path)")
    }

    @Test func everyQueryOfTheDashboardIsOne() throws {
        let ended = try parse(dashboard.queries)
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        #expect(ended.output.contains("\(dashboard.queries.count) rules found"))
        #expect(try parse(["sum by (rate(ringback_turns_total[5m]))"]).status != 0)
    }

    /// Metrics and labels that a text asks for and nobody says.
    private func unknown(in query: String) -> [String] {
        // What stands in quotes, and what a rate reaches back for, is no name.
        let bare = query.replacing(/"[^"]*"/, with: "").replacing(/\[[^\]]*\]/, with: "")
        let names = bare.matches(of: /\b(?:ringback|process)_[a-z_]+\b/).map { String($0.output) }
        let labels =
            query.matches(of: /([a-z_]+)(?:=~|!~|!=|=)"/).map { String($0.output.1) }
            + bare.matches(of: /\b(?:by|on) \(([^)]*)\)/).flatMap {
                $0.output.1.split { $0 == "," || $0 == " " }.map(String.init)
            }
        let allowed = names.reduce(into: Set(["instance", "job"])) {
            $0.formUnion(known[$1] ?? [])
        }
        return names.filter { known[$0] == nil } + labels.filter { !allowed.contains($0) }
    }

    @Test func theDashboardAsksForWhatThereIs() {
        #expect(dashboard.queries.flatMap(unknown(in:)) == [])
        #expect(
            unknown(in: "sum by (worker) (ringback_turn_total)") == [
                "ringback_turn_total", "worker",
            ]
        )
    }

    @Test func theRulesAskForWhatThereIs() {
        let queries = rules.matches(of: /(?s)expr: (.*?)\n        for:/).map { String($0.output.1) }
        #expect(queries.count == rules.matches(of: /- alert:/).count)
        #expect(queries.flatMap(unknown(in:)) == [])
    }

    /// What every service has is on the dashboard, but for what is looked up when there is a
    /// question. A relay's own counts and its upstreams' are for whoever has one.
    @Test func everyMetricIsOnTheDashboard() {
        let shown = dashboard.queries.joined(separator: "\n")
        let lookedUp: Set = [
            "ringback_bypasses_total", "ringback_connections_connected_total",
            "ringback_connections_inherited_total", "ringback_interrupted_waits_total",
            "ringback_listeners",
            "ringback_records_dropped_total", "ringback_short_sends_total",
            "ringback_stale_completions_total",
        ]
        let ours = known.keys.filter {
            $0.hasPrefix("ringback_") && !$0.hasPrefix("ringback_relay_")
                && !($0.hasPrefix("ringback_upstream_") && $0.hasSuffix("_total"))
        }
        #expect(ours.count > 30, "the service said what it has")
        #expect(Set(ours.filter { !shown.contains($0) }) == lookedUp)
    }

    @Test func panelsAreInOrder() {
        #expect(Set(dashboard.panels.map(\.id)).count == dashboard.panels.count)
        #expect(dashboard.panels.allSatisfy { $0.type == "row" || $0.description != nil })
        let variables = dashboard.templating.list.map(\.name)
        #expect(variables == ["datasource", "job", "instance", "service"])
        for (number, one) in dashboard.panels.enumerated() {
            #expect(one.gridPos.x + one.gridPos.w <= 24, "\(one.title)")
            for other in dashboard.panels.dropFirst(number + 1) {
                let apart =
                    one.gridPos.y + one.gridPos.h <= other.gridPos.y
                    || other.gridPos.y + other.gridPos.h <= one.gridPos.y
                    || one.gridPos.x + one.gridPos.w <= other.gridPos.x
                    || other.gridPos.x + other.gridPos.w <= one.gridPos.x
                #expect(apart, "\(one.title) lies on \(other.title)")
            }
        }
    }
}
