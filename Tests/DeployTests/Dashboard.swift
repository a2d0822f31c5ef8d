// Dashboard: deploy/grafana/ringback.json, as far as tests look into it.

import Foundation

/// A Grafana dashboard, as far as it matters here.
struct Dashboard: Decodable {
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
        struct Variable: Decodable {
            struct Query: Decodable { let query: String }
            let name: String
            let query: Query?

            private enum Key: CodingKey { case name, query }

            init(from decoder: any Decoder) throws {
                let values = try decoder.container(keyedBy: Key.self)
                name = try values.decode(String.self, forKey: .name)
                // That of a data source is the name of its kind.
                query = try? values.decode(Query.self, forKey: .query)
            }
        }
        let list: [Variable]
    }
    let uid: String
    let panels: [Panel]
    let templating: Templating

    /// The one in deploy/.
    static func read() throws -> Dashboard {
        try JSONDecoder().decode(
            Dashboard.self,
            from: Data(Tools.text("grafana/ringback.json").utf8)
        )
    }

    /// What its panels ask for.
    var queries: [String] { panels.flatMap { $0.targets ?? [] }.map(\.expr) }

    /// What its variables take their values from: a metric, and one of its labels.
    var choices: [(series: String, label: String)] {
        templating.list.compactMap(\.query).compactMap { variable in
            variable.query.wholeMatch(of: /label_values\((.*), (\w+)\)/).map {
                (Dashboard.filled(String($0.output.1)), String($0.output.2))
            }
        }
    }

    /// A query with values in place of Grafana's variables: all there is, over so long.
    static func filled(_ query: String, interval: String = "5m") -> String {
        query.replacing("$__rate_interval", with: interval).replacing(/\$[a-z]+/, with: ".*")
    }
}
