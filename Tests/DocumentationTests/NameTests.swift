// What the documentation names is there: options, counters, metrics, keys of reports, targets,
// tests, files, and where links lead.

import Foundation
import Support
import Testing

/// A program and its commands, as it describes them itself.
private struct Described: Decodable {
    struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String
            }
            let names: [Name]?
            let defaultValue: String?
            var longNames: [String] { (names ?? []).filter { $0.kind == "long" }.map(\.name) }
        }
        let commandName: String
        let subcommands: [Command]?
        let arguments: [Argument]?

        var options: Set<String> {
            Set((arguments ?? []).flatMap(\.longNames))
                .union((subcommands ?? []).flatMap(\.options))
        }
    }
    let command: Command

    static func read(_ program: String) throws -> Command {
        let ended = try Program.run(program, "--experimental-dump-help")
        return try JSONDecoder().decode(Described.self, from: Data(ended.output.utf8)).command
    }
}

@Suite(.timeLimit(.minutes(1)))
struct LinkTests {
    /// Every page, the decisions too.
    private static let pages: [String] = {
        let decisions = try? FileManager.default.contentsOfDirectory(
            atPath: Place.root + "/docs/decisions"
        )
        return Page.guides + ["CHANGELOG.md"]
            + (decisions ?? []).sorted().map { "docs/decisions/" + $0 }
    }()

    @Test func linksLeadSomewhere() throws {
        #expect(Self.pages.count > 25)
        for page in try Self.pages.map(Page.init) {
            for link in page.links {
                let parts = link.split(separator: "#", omittingEmptySubsequences: false)
                let folder = URL(filePath: "/" + page.path).deletingLastPathComponent()
                let path =
                    parts[0].isEmpty
                    ? page.path
                    : String(folder.appending(path: parts[0]).standardized.path.dropFirst())
                let isThere = FileManager.default.fileExists(atPath: Place.root + "/" + path)
                #expect(isThere, "\(page.path): \(link)")
                if isThere, parts.count == 2 {
                    #expect(
                        try Page(path).anchors.contains(String(parts[1])),
                        "\(page.path): \(link)"
                    )
                }
            }
        }
    }

    /// Files and folders of ours that a sentence names.
    @Test func filesAreThere() throws {
        for page in try Self.pages.map(Page.init) {
            for span in page.spans {
                guard
                    let path = span.wholeMatch(
                        of: /(?:Sources|Tests|Benchmarks|deploy|docs|scripts)\/[\w.\/+-]+/
                    )
                else { continue }
                let isThere = FileManager.default.fileExists(atPath: Place.root + "/" + path.output)
                #expect(isThere, "\(page.path): \(span)")
            }
        }
    }

    @Test func targetsAreThere() throws {
        let makefile = try String(contentsOfFile: Place.root + "/Makefile", encoding: .utf8)
        for page in try Self.pages.map(Page.init) {
            for span in page.spans {
                guard let target = span.firstMatch(of: /^(?:[A-Z]+=\S+ )*make ([a-z-]+)/) else {
                    continue
                }
                #expect(makefile.contains("\n\(target.output.1):"), "\(page.path): \(span)")
            }
        }
    }

    /// Counters, fields of logs, system calls and ends: a name with an underscore is a word of our
    /// sources. What else the kernel and others have names for is listed.
    @Test func wordsAreOfTheSources() throws {
        let others: Set = [
            "conntrack_allowance_exceeded", "napi_defer_hard_irqs", "nr_throttled",
            "pps_allowance_exceeded", "tcp_max_tw_buckets", "tcp_mem", "tcp_timestamps",
            "wmem_max",
        ]
        let files = FileManager.default.subpaths(atPath: Place.root + "/Sources") ?? []
        let words = files.filter { $0.hasSuffix(".swift") }.reduce(into: Set<String>()) {
            all,
            file in
            let text = try? String(contentsOfFile: Place.root + "/Sources/" + file, encoding: .utf8)
            let parts = (text ?? "").utf8.split { byte in
                byte != UInt8(ascii: "_") && !(48...57).contains(byte) && !(97...122).contains(byte)
            }
            for part in parts { all.insert(String(decoding: part, as: UTF8.self)) }
        }
        // docs/Relay.md has the names of others' tests.
        for page in try Page.guides.filter({ $0 != "docs/Relay.md" }).map(Page.init) {
            let named = page.spans.filter { $0.wholeMatch(of: /[a-z]+(?:_[a-z0-9]+)+/) != nil }
            #expect(Set(named).subtracting(words).subtracting(others) == [], "\(page.path)")
        }
    }

    /// Swift that the README shows is what Example.swift has compiled.
    @Test func examplesAreCompiled() throws {
        func lines(_ text: String) -> [String] {
            text.split(separator: "\n").map {
                $0.replacing(/\s+\/\/ .*$/, with: "").trimmingCharacters(in: .whitespaces)
            }.filter { !$0.isEmpty }
        }
        let path = Place.root + "/Tests/EngineMetricsTests/Example.swift"
        let compiled = lines(try String(contentsOfFile: path, encoding: .utf8))
        let examples = try Page("README.md").blocks.filter { $0.lines[0].hasPrefix("import ") }
        #expect(examples.count == 2)
        for line in examples.flatMap({ lines($0.lines.joined(separator: "\n")) }) {
            #expect(compiled.contains(line), "\(line)")
        }
    }

    /// Tests that docs/TCP.md calls to witness; those of docs/Relay.md are TidyTests' affair.
    @Test func testsAreThere() throws {
        let files = FileManager.default.subpaths(atPath: Place.root + "/Tests") ?? []
        let tests = files.filter { $0.hasSuffix("Tests.swift") }.compactMap {
            try? String(contentsOfFile: Place.root + "/Tests/" + $0, encoding: .utf8)
        }.joined()
        let names = try Page("docs/TCP.md").rows.filter { $0.count == 3 }.flatMap { row in
            row[2].matches(of: /`([a-z]\w+)`/).map { String($0.output.1) }
        }
        #expect(names.count > 20)
        #expect(names.filter { !tests.contains("func \($0)(") && $0 != "eightBuffers" } == [])
    }
}

@Suite(.serialized, .enabled(if: Place.hasBinaries, "build first"), .timeLimit(.minutes(1)))
struct NameTests {
    private let pages = try! Page.guides.map(Page.init)

    /// An option is ours where it follows the name of one of our programs, and where a piece of
    /// code begins with it.
    @Test func optionsAreThere() throws {
        let known = try Described.read("ringback").options.union(Described.read("ringload").options)
        // Of ipvsadm and of containers, which are spoken of.
        let others: Set = ["gatewaying", "stop-timeout"]
        for page in pages {
            let commands = page.blocks.flatMap(\.commands) + page.spans
            let named = commands.flatMap { command -> [String] in
                let ours = command.firstMatch(of: /(?:^|\/|\b)ring(?:back|load) .*/)?.output ?? ""
                let own =
                    command.firstMatch(of: /^--([a-z][a-z-]*)/).map { [String($0.output.1)] } ?? []
                return own + ours.matches(of: /\s--([a-z][a-z-]*)/).map { String($0.output.1) }
            }
            let unknown = Set(named).subtracting(known).subtracting(others)
            #expect(unknown == [], "\(page.path)")
        }
    }

    /// The README's table has every option of the echo with what it is by default, and the page of
    /// `ringload` those that all workloads have in common.
    @Test(arguments: [
        ("README.md", "ringback", ["echo"]),
        ("docs/ringload.md", "ringload", ["rr", "crr", "stream", "idle"]),
    ])
    func tablesHaveEveryOption(_ path: String, _ program: String, _ names: [String]) throws {
        let commands = try #require(try Described.read(program).subcommands)
            .filter { names.contains($0.commandName) }
        let common = commands.map(\.options).reduce(commands[0].options) { $0.intersection($1) }
        let defaults = Dictionary(
            (commands[0].arguments ?? []).flatMap { argument in
                argument.longNames.map { ($0, argument.defaultValue) }
            }
        ) { one, _ in one }
        var shown: Set<String> = []
        for row in try Page(path).rows where row[0].hasPrefix("`--") {
            let own = row[0].matches(of: /`--([a-z-]+)/).map { String($0.output.1) }
            shown.formUnion(own)
            guard row.count == 3, let value = defaults[own[0]] ?? nil else { continue }
            let said = row[1].filter { $0 != "`" }
            #expect(
                said == value || ["off", "none", "required"].contains(said)
                    || said == "0" && value.hasPrefix("0") || said.hasPrefix("--"),
                "\(path): \(own[0]) is \(value) by default, not \(said)"
            )
        }
        // Faults can be put back in debug builds alone.
        #expect(common.subtracting(shown).subtracting(["help", "version", "fault"]) == [])
    }

    /// The README's table has the counts of the line at the end, no more and no less.
    @Test func theCountersAreThoseOfTheLineAtTheEnd() throws {
        let server = try Server(["--workers", "1"])
        let said = try server.stop().errors
        let counters = said.matches(of: /[ ;]([a-z_]+)[=:] ?(?:\d|none)/).map {
            String($0.output.1)
        }
        #expect(counters.count > 20)
        let page = try Page("README.md").text
        let from = try #require(page.firstRange(of: "### Counters")).upperBound
        let to = try #require(page[from...].firstRange(of: "\n## ")).lowerBound
        let shown = page[from..<to].split(separator: "\n").filter { $0.hasPrefix("| `") }
            .flatMap { row in
                row.split(separator: "|")[0].matches(of: /`(\w+)`/).map { String($0.output.1) }
            }
        #expect(Set(shown) == Set(counters))
    }

    /// Metrics that a page names are on /metrics.
    @Test func metricsAreThere() throws {
        let file = TemporaryFile()
        file.handle.write(
            Data(
                """
                admin: 127.0.0.1:0
                defaults: {listen: "127.0.0.1:0", max-connections: 10}
                services: {greet: {type: echo}, web: {type: relay, to: "127.0.0.1:9"}}
                """.utf8
            )
        )
        let served = try Program(["ringback", "serve", "--config", file.path])
        try served.waitUntilItSays("web on")
        let place = try #require(served.errorsSoFar.firstMatch(of: /a page on 127.0.0.1:(\d+)/))
        let said = try Program.shell(
            "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | nc -w 5 127.0.0.1 \(place.output.1)"
        )
        served.signal(SIGTERM)
        #expect(try served.wait().status == 0)
        let known = Set(said.output.matches(of: /# TYPE (\w+)/).map { String($0.output.1) })
        #expect(known.count > 40)
        for page in pages {
            let named = page.spans.flatMap { span in
                span.matches(of: /\b(?:ringback|process)_[a-z_]+/).map { String($0.output) }
            }
            #expect(Set(named).subtracting(known) == [], "\(page.path)")
        }
    }

    /// Keys of the JSON report: those of the table are in one, and those of one are in the table.
    @Test func theReportHasTheKeysOfItsTable() throws {
        let server = try Server(["--workers", "1"])
        var keys: Set<String> = []
        for workload in [["rr", "--rate", "1000", "--verify"], ["crr"]] {
            let ended = try Program(
                ["ringload"] + workload + [server.address, "--duration", "300ms", "--warmup", "0"]
                    + ["--ignore-audit", "--server-pid", "\(server.program.identifier)"]
                    + ["--json", "-"]
            ).wait()
            let report = try JSONSerialization.jsonObject(with: Data(ended.output.utf8))
            keys.formUnion(NameTests.keys(of: report))
        }
        #expect(try server.stop().status == 0)

        let page = try Page("docs/ringload.md")
        let start = try #require(page.rows.firstIndex { $0[0] == "`format`" })
        var named: Set<String> = []
        for row in page.rows[start...] {
            var parent = ""
            let names = row[0].matches(of: /`([^`]+)`/).map { String($0.output.1) }
            for name in names {
                // `errors.refused`, `.reset`: the second is of the same object.
                let full = name.hasPrefix(".") ? parent + name : name
                parent = String(full.prefix { $0 != "." })
                guard full.hasSuffix(".*") || full.hasSuffix("[]") else {
                    named.insert(full)
                    continue
                }
                named.insert(full.replacing(/\.\*|\[\]/, with: ""))
                let parts = row[1].prefix { $0 != ";" }.matches(of: /`([a-z0-9_]+)`/)
                named.formUnion(
                    parts.map { full.replacing(/\.\*|\[\]/, with: "") + ".\($0.output.1)" }
                )
            }
        }
        // System calls are counted on request alone, and here nothing is wrong.
        let absent: Set = [
            "client.system_calls_per_message", "server.system_calls_per_message",
            "integrity.first_fault",
        ]
        #expect(named.subtracting(keys).subtracting(absent) == [])
        let outermost = Set(keys.map { String($0.prefix { $0 != "." }) })
        #expect(outermost.subtracting(named.map { String($0.prefix { $0 != "." }) }) == [])
    }

    /// The paths of all keys; of an array those of its first element.
    private static func keys(of value: Any, below path: String = "") -> Set<String> {
        switch value {
        case let object as [String: Any]:
            object.reduce(into: []) { all, entry in
                let name = path.isEmpty ? entry.key : path + "." + entry.key
                all.insert(name)
                all.formUnion(keys(of: entry.value, below: name))
            }
        case let list as [Any]: list.first.map { keys(of: $0, below: path) } ?? []
        default: []
        }
    }

    /// A configuration that a page shows is one that is taken.
    @Test func configurationsAreTaken() throws {
        var count = 0
        for page in pages {
            for block in page.blocks where block.lines.contains("services:") {
                let file = TemporaryFile()
                file.handle.write(Data(block.lines.joined(separator: "\n").utf8))
                let ended = try Program.run("ringback", "check", file.path)
                #expect(ended.status == 0, "\(page.path):\(block.line): \(ended.errors)")
                count += 1
            }
        }
        #expect(count >= 2)
    }
}

/// The arithmetic of docs/Deploy.md: how many CPUs and machines a rate needs.
struct ArithmeticTests {
    private let page = try! Page("docs/Deploy.md")

    /// 1,000,000 a second at 60 % busy: microseconds of a message, and CPUs.
    @Test func theTableFollowsTheFormula() throws {
        var count = 0
        for row in page.rows where row.count == 5 && row[1].hasSuffix(" us") {
            for column in [1, 3] {
                let microseconds = try #require(Double(row[column].dropLast(3)))
                let processors = 1_000_000 * microseconds / 1e6 / 0.6
                #expect(row[column + 1] == String(format: "%.1f", processors), "\(row)")
                count += 1
            }
        }
        #expect(count == 6)
    }

    /// The example in words: 5,000,000 a second, workers of a machine, and one machine to spare.
    @Test func theExampleFollowsTheFormula() throws {
        let words = ["five": 5, "nine": 9, "sixth": 6, "tenth": 10]
        let text = page.text.replacing("\n", with: " ")
        let echo = try #require(
            text.firstMatch(of: /5,000,000 x ([\d.]+) us = ([\d.]+) CPUs busy, ([\d.]+) at 60 %/)
        ).output
        let plan = try #require(
            text.firstMatch(of: /at 60 %: (\w+) machines with (\d) workers each, and a (\w+)/)
        ).output
        let relay = try #require(
            text.firstMatch(of: /As a relay they are ([\d.]+) and ([\d.]+): (\w+), and a (\w+)/)
        ).output
        let rows = page.rows.filter { $0.count == 5 && $0[0].hasPrefix("64 B") }
        let relayed = try #require(Double(rows[0][3].dropLast(3)))
        #expect(rows[0][1] == "\(echo.1) us")
        let workers = try #require(Double(plan.2))
        for (microseconds, busy, wanted, machines, spare) in [
            (Double(echo.1), echo.2, echo.3, plan.1, plan.3),
            (relayed, relay.1, relay.2, relay.3, relay.4),
        ] {
            let processors = 5 * (try #require(microseconds))
            #expect(busy == String(format: "%.1f", processors))
            #expect(wanted == String(format: "%.1f", processors / 0.6))
            let needed = Int((processors / 0.6 / workers).rounded(.up))
            #expect(words[String(machines)] == needed && words[String(spare)] == needed + 1)
        }
    }
}
