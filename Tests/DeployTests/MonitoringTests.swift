// The alert rules and the dashboard: promtool runs the rules' own tests and parses every query, and
// whatever they ask for is something that the service says.

import Foundation
import Support
import Testing

/// The metrics of /metrics that this folder may ask for, with their labels beside `job` and
/// `instance`.
private let known: [String: Set<String>] = {
    let worker: Set = ["service", "worker", "backend"]
    let ofWorkers = [
        "connections", "connections_max", "connections_accepted_total",
        "connections_refused_total", "received_bytes_total", "sent_bytes_total",
        "bypassed_bytes_total", "dropped_bytes_total", "receives_total", "sends_total",
        "turns_total", "events_total", "spin_hits_total", "spin_misses_total",
        "spin_seconds_total", "starved_total", "throttled_total", "rearmed_total",
        "completion_overflows_total", "accept_failures_total", "accept_paused", "buffers",
        "buffers_free",
    ]
    var metrics = Dictionary(uniqueKeysWithValues: ofWorkers.map { ("ringback_" + $0, worker) })
    metrics["ringback_connections_closed_total"] = worker.union(["termination", "undelivered"])
    metrics["ringback_build_info"] = ["version"]
    metrics["ringback_upstream_up"] = ["service", "upstream"]
    metrics["ringback_upstream_connections"] = ["service", "upstream"]
    for name in ["ready", "draining", "draining_connections"] { metrics["ringback_" + name] = [] }
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds"] {
        metrics["process_" + name] = []
    }
    metrics["up"] = []
    metrics["ALERTS"] = ["alertname", "alertstate", "severity", "service"]
    return metrics
}()

/// A Grafana dashboard, as far as it matters here.
private struct Dashboard: Decodable {
    struct Panel: Decodable {
        struct Place: Decodable {
            let h: Int
            let w: Int
            let x: Int
            let y: Int
        }
        struct Target: Decodable {
            let expr: String
            let legendFormat: String
        }
        let id: Int
        let type: String
        let title: String
        let description: String?
        let gridPos: Place
        let targets: [Target]?
    }
    struct Templating: Decodable {
        struct Variable: Decodable { let name: String }
        let list: [Variable]
    }
    let uid: String
    let panels: [Panel]
    let templating: Templating

    static func read() throws -> Dashboard {
        try JSONDecoder().decode(
            Dashboard.self,
            from: Data(Tools.text("grafana/ringback.json").utf8)
        )
    }

    var queries: [String] { panels.flatMap { $0.targets ?? [] }.map(\.expr) }
}

@Suite(.enabled(if: Tools.areThere, "scripts/deploy-tools.sh has not run"))
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

    /// A query as a recording rule, which promtool parses; Grafana's variables have values in it.
    private func parse(_ queries: [String]) throws -> Ended {
        let folder = try TemporaryFolder()
        let records = queries.enumerated().map { number, query in
            let text = query.replacing("$__rate_interval", with: "5m")
                .replacing(/\$[a-z]+/, with: ".*").replacing("'", with: "''")
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

    /// What is worth counting is worth seeing.
    @Test func everyMetricIsOnTheDashboard() {
        let shown = dashboard.queries.joined(separator: "\n")
        let ours = known.keys.filter { $0.hasPrefix("ringback_") }
        #expect(ours.filter { !shown.contains($0) }.sorted() == [])
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
