// Prometheus itself, Debian's, with the settings of docs/Deploy.md: it scrapes a service that runs,
// what it then knows is what was done, and rules and dashboard say something of it.

import Foundation
import Net
import Support
import Testing

/// A Prometheus that scrapes one address four times a second.
private final class Prometheus {
    static let path = Tools.folder + "/prometheus"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }

    private let folder: TemporaryFolder
    private let program: Program
    private let address: SocketAddress

    init(scraping target: String) throws {
        folder = try TemporaryFolder()
        let page = try String(contentsOfFile: Place.root + "/docs/Deploy.md", encoding: .utf8)
        let block = try #require(page.firstMatch(of: /```yaml\n(scrape_configs:(?s).*?)```/))
        let settings = String(block.output.1)
        let (there, rules) = ("127.0.0.1:9090", "/usr/share/doc/ringback/examples/rules.yaml")
        try #require(settings.contains(there) && settings.contains(rules))
        try folder.write(
            "global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}\n"
                + settings.replacing(there, with: target)
                .replacing(rules, with: Tools.deploy + "/prometheus/rules.yaml"),
            to: "prometheus.yaml"
        )
        program = try Program([
            Prometheus.path, "--config.file=\(folder.path)/prometheus.yaml",
            "--storage.tsdb.path=\(folder.path)/data", "--web.listen-address=127.0.0.1:0",
        ])
        try program.waitUntilItSays("Server is ready to receive web requests")
        let place = program.errorsSoFar.firstMatch(of: /msg="Listening on" address=(\S+)/)
        address = try SocketAddress(parsing: String(#require(place).output.1))
    }

    /// What it complains of.
    var complaints: [Substring] {
        program.errorsSoFar.split(separator: "\n").filter {
            $0.contains("level=warn") || $0.contains("level=error")
        }
    }

    func stop() throws -> Ended {
        program.signal(SIGTERM)
        return try program.wait()
    }

    private struct Answer<Value: Decodable>: Decodable {
        let status: String
        let data: Value
    }

    private func ask<Value: Decodable>(_ path: String, for: Value.Type) throws -> Value {
        let page = try WebPage("/api/v1/" + path, from: address)
        guard page.status == 200 else { throw Refused(path: path, said: page.body) }
        return try JSONDecoder().decode(Answer<Value>.self, from: Data(page.body.utf8)).data
    }

    struct Refused: Error {
        let path: String
        let said: String
    }

    private func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }

    struct Target: Decodable {
        let health: String
        let lastError: String
    }

    func targets() throws -> [Target] {
        struct Targets: Decodable { let activeTargets: [Target] }
        return try ask("targets", for: Targets.self).activeTargets
    }

    struct Alert: Decodable {
        let name: String
        let state: String
        let health: String
        let lastError: String?
    }

    func alerts() throws -> [Alert] {
        struct Groups: Decodable {
            struct Group: Decodable { let rules: [Alert] }
            let groups: [Group]
        }
        return try ask("rules", for: Groups.self).groups.flatMap(\.rules)
    }

    struct Description: Decodable {
        let metric: String
        let type: String
        let help: String
    }

    func descriptions() throws -> [Description] {
        try ask("targets/metadata", for: [Description].self)
    }

    func values(of label: String, in series: String) throws -> [String] {
        try ask("label/\(label)/values?match[]=" + encoded(series), for: [String].self)
    }

    /// The values of a query, at this moment.
    func query(_ text: String) throws -> [Double] {
        struct Vector: Decodable { let result: [Sample] }
        struct Sample: Decodable {
            let value: Double
            private enum Key: CodingKey { case value }

            init(from decoder: any Decoder) throws {
                var pair = try decoder.container(keyedBy: Key.self)
                    .nestedUnkeyedContainer(forKey: .value)
                _ = try pair.decode(Double.self)
                value = Double(try pair.decode(String.self)) ?? .nan
            }
        }
        return try ask("query?query=" + encoded(text), for: Vector.self).result.map(\.value)
    }
}

/// `ringback serve` with an echo on both backends, and a relay to it and to nobody.
private struct Served {
    let program: Program
    let echo: SocketAddress
    let relay: SocketAddress
    let admin: SocketAddress
    private let behind: Server
    private let file = TemporaryFile()

    init() throws {
        behind = try Server(["--workers", "1"])
        let settings = """
            admin: 127.0.0.1:0
            defaults: {listen: "127.0.0.1:0", pin: false, max-connections: 100}
            services:
              greet: {type: echo, workers: 2, epoll-workers: 1}
              web:
                type: relay
                workers: 1
                to: ["\(behind.address)", "127.0.0.1:9"]
                check-interval: 100ms
            """
        file.handle.write(Data(settings.utf8))
        program = try Program(["ringback", "serve", "--config", file.path])
        try program.waitUntilItSays("try: nc", times: 2)
        let said = program.errorsSoFar
        func place(_ pattern: Regex<(Substring, Substring)>) throws -> SocketAddress {
            let match = try #require(said.firstMatch(of: pattern))
            return try SocketAddress(parsing: String(match.output.1))
        }
        echo = try place(/greet on (\S+)/)
        relay = try place(/web on (\S+)/)
        admin = try place(/a page on (\S+)/)
    }

    func stop() throws -> Ended {
        program.signal(SIGTERM)
        let ended = try program.wait()
        #expect(try behind.stop().status == 0)
        return ended
    }
}

@Suite(
    .enabled(if: Prometheus.isThere && Place.hasBinaries, "make deploy-tools and build first"),
    .timeLimit(.minutes(2))
)
struct PrometheusTests {
    /// Clients of which some have gone, some are there.
    private func exchange(_ served: Served) throws -> [TestClient] {
        let bytes = [UInt8](repeating: 7, count: 100)
        let clients = try (0..<23).map { _ in try TestClient(served.echo) }
        for client in clients {
            try client.send(bytes)
            #expect(try client.receive(exactly: 100) == bytes)
        }
        for client in clients[..<9] {
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        let relayed = try TestClient(served.relay)
        try relayed.send(bytes)
        #expect(try relayed.receive(exactly: 100) == bytes)
        return clients[9...] + [relayed]
    }

    @Test func whatItKnowsIsWhatWasDone() throws {
        let served = try Served()
        let prometheus = try Prometheus(scraping: "\(served.admin)")
        let clients = try exchange(served)

        let target = try eventually({ try prometheus.targets() }) { $0.first?.health == "up" }
        #expect(target.map(\.health) == ["up"] && target.map(\.lastError) == [""])
        for (query, value) in [
            ("up{job=\"ringback\"}", 1),
            ("sum(ringback_connections_accepted_total{service=\"greet\"})", 23),
            ("sum(ringback_received_bytes_total{service=\"greet\"})", 2300),
            ("sum(ringback_sent_bytes_total{service=\"greet\"})", 2300),
            ("sum(ringback_connections{service=\"greet\"})", 14),
            (
                "sum(ringback_connections_closed_total{service=\"greet\","
                    + "termination=\"client_fin\",undelivered=\"false\"})", 9
            ),
            ("sum(ringback_connections_closed_total)", 9),
            ("count(count by (backend) (ringback_connections{service=\"greet\"}))", 2),
            ("sum(ringback_upstream_connected_total)", 1), ("sum(ringback_upstream_up)", 1),
        ] as [(String, Double)] {
            let known = try eventually({ try prometheus.query(query) }) { $0 == [value] }
            #expect(known == [value], "\(query)")
        }

        // Every sample of the page is one of a series of its own, and none was thrown away.
        let page = try WebPage("/metrics", from: served.admin).body
        let samples = page.split(separator: "\n").count { !$0.hasPrefix("#") }
        for query in [
            "scrape_samples_scraped",
            "count({job=\"ringback\", __name__=~\"(ringback|process)_.*\"})",
        ] {
            let known = try eventually({ try prometheus.query(query) }) { $0 == [Double(samples)] }
            #expect(known == [Double(samples)], "\(query)")
        }
        let descriptions = try prometheus.descriptions()
        #expect(descriptions.count > 50)
        for described in descriptions {
            #expect(described.help.count > 3, "\(described.metric)")
            let isCount = described.metric.hasSuffix("_total")
            #expect(described.type == (isCount ? "counter" : "gauge"), "\(described.metric)")
        }

        #expect(prometheus.complaints == [])
        for client in clients { client.finish() }
        #expect(try served.stop().status == 0)
        #expect(try prometheus.stop().status == 0)
    }

    /// Queries of the dashboard find something, also those that divide, and so do its lists.
    @Test func theDashboardHasSomethingToShow() throws {
        let served = try Served()
        let prometheus = try Prometheus(scraping: "\(served.admin)")
        let clients = try exchange(served)
        let dashboard = try Dashboard.read()
        #expect(dashboard.queries.count > 30)
        for query in dashboard.queries {
            let text = Dashboard.filled(query, interval: "5s")
            let found = try eventually({ try prometheus.query(text) }) { !$0.isEmpty }
            #expect(!found.isEmpty, "\(query)")
        }
        for (label, values) in [
            ("job", ["ringback"]), ("instance", ["\(served.admin)"]),
            ("service", ["greet", "web"]),
        ] {
            let choice = try #require(dashboard.choices.first { $0.label == label })
            #expect(try prometheus.values(of: label, in: choice.series) == values)
        }
        #expect(dashboard.choices.count == 3)
        #expect(throws: Prometheus.Refused.self) { try prometheus.query("sum(ringback_ready") }
        for client in clients { client.finish() }
        #expect(try served.stop().status == 0)
        #expect(try prometheus.stop().status == 0)
    }

    /// An upstream that nobody serves, then no service at all: each is seen by the rule for it, and
    /// by no other.
    @Test func rulesSeeWhatIsWrong() throws {
        let served = try Served()
        let prometheus = try Prometheus(scraping: "\(served.admin)")
        func roused() throws -> [String] {
            try prometheus.alerts().filter { $0.state != "inactive" }.map(\.name)
        }
        let first = try eventually(roused) { $0 == ["RingbackUpstreamDown"] }
        #expect(first == ["RingbackUpstreamDown"])
        let alerts = try prometheus.alerts()
        #expect(alerts.count >= 10)
        #expect(alerts.filter { $0.health != "ok" || !($0.lastError ?? "").isEmpty }.isEmpty)
        #expect(try served.stop().status == 0)
        let last = try eventually(roused) { $0 == ["RingbackGone"] }
        #expect(last == ["RingbackGone"])
        #expect(try prometheus.stop().status == 0)
    }
}
