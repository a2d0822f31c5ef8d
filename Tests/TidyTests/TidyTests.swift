// The rules of the house that a machine can check: who may import what, how long files, functions
// and lines may be, and what must not be left behind.

import Foundation
import Testing

/// A source file with its path from the project's root.
struct SourceFile {
    let path: String
    let lines: [String]

    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All files below some folders that end in one of some ways.
    static func all(below folders: [String], endings: [String]) -> [SourceFile] {
        folders.flatMap { folder -> [SourceFile] in
            let names = FileManager.default.subpaths(atPath: root.path + "/" + folder) ?? []
            return names.filter { name in endings.contains { name.hasSuffix($0) } }.map { name in
                let path = folder + "/" + name
                let text =
                    (try? String(contentsOf: root.appending(path: path), encoding: .utf8)) ?? ""
                return SourceFile(path: path, lines: text.components(separatedBy: "\n"))
            }
        }
    }

    static let swift = all(below: ["Sources", "Tests"], endings: [".swift"])
    static let sources = all(below: ["Sources"], endings: [".swift"])
    static let written = all(
        below: ["Sources", "Tests", "Benchmarks"],
        endings: [".swift", ".c", ".h"]
    )

    /// The files with a line that matches, as `path:line`.
    func places(matching pattern: Regex<Substring>) -> [String] {
        lines.enumerated().compactMap { number, line in
            line.firstMatch(of: pattern) == nil ? nil : "\(path):\(number + 1)"
        }
    }
}

struct TidyTests {
    private func places(
        in folders: [String],
        matching pattern: Regex<Substring>
    ) -> [String] {
        SourceFile.sources
            .filter { file in folders.contains { file.path.hasPrefix("Sources/\($0)/") } }
            .flatMap { $0.places(matching: pattern) }
    }

    private let core = [
        "URing", "Net", "Confinement", "Engine", "Services", "Measure", "Load", "Conform", "Doctor",
    ]

    @Test func filesAreFound() {
        #expect(SourceFile.sources.count > 30)
    }

    @Test func onlyTheLowestRoomsImportC() {
        let others = core.filter { !["URing", "Net", "Confinement"].contains($0) }
        let pattern = /^\s*(?:public |internal |package )?import (?:CURing|CLinux|CLiburing)/
        let above = ["Admin", "Options", "Configuration", "ringback", "ringload"]
        #expect(places(in: others + above, matching: pattern) == [])
    }

    @Test func theCoreDoesWithoutFoundation() {
        #expect(places(in: core, matching: /import (?:Foundation|Dispatch)/) == [])
    }

    @Test func theEngineKnowsNoPackage() {
        let pattern = /import (?:ArgumentParser|Logging|Histogram)/
        let below = ["URing", "Net", "Engine", "Services", "Admin"]
        #expect(places(in: below, matching: pattern) == [])
        let readers = SourceFile.swift.flatMap {
            $0.places(matching: /^\s*(?:public )?import Yams/)
        }
        let publishers = SourceFile.sources.flatMap {
            $0.places(matching: /^\s*(?:public )?import (?:Core)?Metrics\b/)
        }
        #expect(publishers.allSatisfy { $0.hasPrefix("Sources/EngineMetrics/") })
        #expect(readers.allSatisfy { $0.hasPrefix("Sources/Configuration/Document.swift:") })
    }

    @Test func dependenciesPointDown() {
        #expect(
            places(in: ["Net"], matching: /import (?:URing|Engine|Services|Load|Options)/) == []
        )
        #expect(
            places(in: ["Confinement"], matching: /import (?:URing|Engine|Services|Load|Options)/)
                == []
        )
        #expect(places(in: ["URing"], matching: /import (?:Engine|Services|Load|Options)/) == [])
        #expect(places(in: ["Engine"], matching: /import (?:Services|Load|Options|Measure)/) == [])
        #expect(
            places(in: ["Conform"], matching: /import (?:URing|Engine|Services|Load|Options)/) == []
        )
        #expect(
            places(in: ["Report"], matching: /import (?:URing|Net|Engine|Services|Options|Conform)/)
                == []
        )
        // A configuration is of options, whatever they are of.
        #expect(
            places(
                in: ["Configuration"],
                matching: /import (?:Net|URing|Engine|Services|Relay|Options|Logging)/
            ) == []
        )
        #expect(
            places(
                in: ["Admin"],
                matching: /import (?:URing|Services|Relay|Load|Options|Report|Conform|Doctor)/
            ) == []
        )
        #expect(places(in: core, matching: /import (?:Report|Configuration|Admin)/) == [])
        #expect(places(in: ["Options"], matching: /import (?:Report|Admin)/) == [])
        #expect(places(in: ["Services", "Load"], matching: /import (?:URing|Options)/) == [])
    }

    @Test func onlyExecutablesPrint() {
        #expect(places(in: core + ["Admin"], matching: /^\s*(?:debugPrint|print|fputs)\(/) == [])
    }

    @Test func linesFitIntoAHundredColumns() {
        let long = SourceFile.written.flatMap { $0.places(matching: /^.{101,}$/) }
        #expect(long == [])
    }

    @Test func filesAreRoomsNotHalls() {
        let long = SourceFile.written.filter { $0.lines.count > 401 }
        #expect(long.map(\.path) == [])
    }

    @Test func functionsFitOnAPage() {
        #expect(SourceFile.swift.flatMap(\.longFunctions) == [])
    }

    @Test func filesSayWhatTheyAre() {
        let silent = SourceFile.written.filter { !($0.lines.first ?? "").hasPrefix("//") }
        #expect(silent.map(\.path) == [])
    }

    /// docs/Relay.md names a test for each scenario.
    @Test func theScenariosHaveTheirTests() throws {
        let page = try String(
            contentsOf: SourceFile.root.appending(path: "docs/Relay.md"),
            encoding: .utf8
        )
        let names = page.split(separator: "\n").flatMap { line -> [String] in
            let cells = line.split(separator: "|")
            guard line.hasPrefix("| "), cells.count == 2 || cells.count == 3 else { return [] }
            return cells[1].matches(of: /`([a-z][A-Za-z]+)`/).map { String($0.output.1) }
        }
        #expect(names.count > 50)
        let tests = SourceFile.all(below: ["Tests"], endings: ["Tests.swift"])
            .flatMap(\.lines).joined(separator: "\n")
        #expect(names.filter { !tests.contains("func \($0)(") } == [])
    }

    /// Tuning.md names counters, which have to exist.
    @Test func theTuningPageNamesWhatExists() throws {
        let page = try String(
            contentsOf: SourceFile.root.appending(path: "Tuning.md"),
            encoding: .utf8
        )
        let table = page.components(separatedBy: "\n## ").last ?? ""
        let counters = table.matches(of: /\n\| `([a-z_]+)`/).map { String($0.output.1) }
        #expect(counters.count > 10)
        let sources = SourceFile.sources.flatMap(\.lines).joined(separator: "\n")
        #expect(counters.filter { !sources.contains("\"\($0)\"") } == [])
    }

    @Test func nothingIsLeftForLater() {
        let pattern = try! Regex<Substring>("TO" + "DO|FIX" + "ME|XX" + "X")
        #expect(SourceFile.written.flatMap { $0.places(matching: pattern) } == [])
    }
}

extension SourceFile {
    /// Functions of more than 70 lines, as `path:line`.
    var longFunctions: [String] {
        var found: [String] = []
        var start: (line: Int, indentation: Int)?
        for (number, line) in lines.enumerated() {
            let indentation = line.prefix { $0 == " " }.count
            if let begun = start {
                if indentation == begun.indentation, line.dropFirst(indentation).hasPrefix("}") {
                    if number - begun.line > 70 { found.append("\(path):\(begun.line + 1)") }
                    start = nil
                }
            } else if line.firstMatch(of: /^\s*[a-z@() ]*\b(?:func|init|deinit)\b.*\{$/) != nil {
                start = (number, indentation)
            }
        }
        return found
    }
}
