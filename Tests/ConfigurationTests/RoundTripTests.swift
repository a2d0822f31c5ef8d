// What is in force can be written as a file, and the file brings it about again. The settings are
// random, of ringback's own services; the seed is printed where it fails.

import Foundation
import Testing

@testable import Configuration
@testable import ringback

struct RoundTripTests {
    /// Ringback's schema without its judges: what is in force need not make sense together.
    private static let schema = Schema(
        process: ProcessOptions.self,
        types: [
            ServiceType("echo", EchoCommand.self), ServiceType("relay", RelayCommand.self),
        ],
        variablePrefix: "RINGBACK_"
    )

    /// What YAML might take for something else, or a terminal for a command.
    private static let texts = [
        "0x10", "1_000", "127.0.0.1:8080", "[::1]:80", "[fe80::1%eth0]:80", "10.0.0.0/8", "-", "--",
        "10.0.0.1:80,weight=3,backup", "- a", "a b", " a ", "a: b", "a:", "a #b", "#a", "'a'",
        "\"a\"", "\\r\\n\\x00", "a\\", "{a}", "[a]", "&a", "*a", "!a", "|", ">", "%a", "@a",
        "`a`", "?", ", a", "~", "null", "Null", "true", "no", "1:30", "2026-11-27", "a\tb", "a\nb",
        "\r", "\u{1B}[31m", "é", "日本", "🦊", "\u{85}", "\u{A0}", "\u{2028}", "\u{200B}",
        "a\u{FEFF}", "\u{E000}", "e\u{301}",
    ]

    /// What options take that do not take any text; each takes one of them at least.
    private static let words = [
        "7", "5s", "64k", "1", "auto", "off", "epoll", "json", "fin", "v2", "source-hash",
        "60s,10s,6",
    ]

    private static let choices: [String: [String]] = {
        var choices: [String: [String]] = [:]
        for type in schema.types {
            for option in type.catalogue.options where choices[option.name] == nil {
                choices[option.name] = accepted(option, type.catalogue)
            }
        }
        return choices
    }()

    private static func accepted(_ option: CatalogueOption, _ all: OptionCatalogue) -> [String] {
        guard option.kind == .value else { return ["true", "false"] }
        // ArgumentParser takes long in debug builds.
        if all.refusal(of: option, "a 'b'") == nil { return texts }
        let taken = words.first { all.refusal(of: option, $0) == nil }
        return [taken].compactMap(\.self) + Setting(standard: option).values
    }

    /// A seed and the random numbers that come of it (SplitMix64).
    private struct Chance: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private static func someSettings(_ type: String, _ chance: inout Chance) -> [String: [String]] {
        var settings: [String: [String]] = [:]
        for option in schema.type(type)!.catalogue.options where chance.next() % 3 == 0 {
            let count = option.repeats ? 1 + Int(chance.next() % 3) : 1
            settings[option.name] = (0..<count).map { _ in
                choices[option.name]!.randomElement(using: &chance)!
            }
        }
        return settings
    }

    private func values(_ settings: [Setting]) -> [String: [String]] {
        let set = settings.filter { !$0.values.isEmpty }
        return Dictionary(uniqueKeysWithValues: set.map { ($0.option.name, $0.values) })
    }

    /// What `config` makes of something has the same values as that.
    private func expectTheSameAgain(_ found: EffectiveConfiguration, _ seed: UInt64) throws {
        let written = found.yaml
        let again: EffectiveConfiguration
        do throws(ConfigurationRefused) {
            again = try EffectiveConfiguration(.text(written, file: "again"), Self.schema)
        } catch {
            Issue.record("seed \(seed): \(error.problems) in\n\(written)")
            return
        }
        #expect(values(again.process) == values(found.process), "seed \(seed)")
        #expect(again.services.map(\.name) == found.services.map(\.name), "seed \(seed)")
        for (one, other) in zip(found.services, again.services) {
            #expect(values(one.settings) == values(other.settings), "seed \(seed)\n\(written)")
        }
    }

    // ArgumentParser takes long in debug builds; each seed has about twenty settings.
    private static let seeds = (0..<2).map { _ in UInt64.random(in: 1...UInt64.max) }

    /// The values come by the command line, so that nobody has written YAML before.
    @Test(arguments: seeds)
    func flagsBecomeAFile(_ seed: UInt64) throws {
        var chance = Chance(state: seed)
        let type = ["echo", "relay"].randomElement(using: &chance)!
        let settings = Self.someSettings(type, &chance)
        let catalogue = Self.schema.type(type)!.catalogue
        let flags = settings.keys.sorted().flatMap { name in
            settings[name]!.flatMap { value in
                // A flag that is not inverted is there or not.
                catalogue[name]!.kind == .flag && value == "false"
                    ? [] : catalogue[name]!.arguments([value])
            }
        }
        let found = try EffectiveConfiguration(.single(type), Self.schema, flags: flags)
        for (name, values) in settings where catalogue[name]!.kind == .value {
            let expected = catalogue[name]!.repeats ? values : values.suffix(1)
            #expect(found.services[0].settings.values(of: name) == expected, "seed \(seed)")
        }
        try expectTheSameAgain(found, seed)
    }

    /// The values come by a file that Foundation has written: JSON is YAML.
    @Test(arguments: seeds)
    func filesBecomeFiles(_ seed: UInt64) throws {
        var chance = Chance(state: seed)
        var services: [String: Any] = [:]
        for number in 0...Int(chance.next() % 4) {
            let type = ["echo", "relay"].randomElement(using: &chance)!
            let catalogue = Self.schema.type(type)!.catalogue
            var service: [String: Any] = ["type": type]
            for (name, values) in Self.someSettings(type, &chance) {
                // JSON has these as they are, and YAML folds them as breaks of lines.
                guard values.allSatisfy({ !$0.contains(/[\u{85}\u{2028}\u{FEFF}]/) }) else {
                    continue
                }
                service[name] =
                    switch catalogue[name]!.kind {
                    case .value: catalogue[name]!.repeats ? values : values[0]
                    case .flag, .invertedFlag: values[0] == "true"
                    }
            }
            services["service-\(number)"] = service
        }
        let data = try JSONSerialization.data(withJSONObject: ["services": services])
        let text = String(decoding: data, as: UTF8.self)
        let found = try EffectiveConfiguration(.text(text, file: "json"), Self.schema)
        #expect(Set(found.services.map(\.name)) == Set(services.keys), "seed \(seed)")
        for service in found.services {
            let given = services[service.name] as? [String: Any] ?? [:]
            for (name, value) in given where name != "type" {
                let expected = value as? [String] ?? ["\(value)"]
                #expect(service.settings.values(of: name) == expected, "seed \(seed)")
            }
        }
        try expectTheSameAgain(found, seed)
    }

    /// No option is the command line's alone.
    @Test(arguments: ["echo", "relay"])
    func everyOptionIsTakenFromAFileAndTheEnvironment(_ type: String) throws {
        var variables: [String: String] = [:]
        var file = "services:\n  one:\n    type: \(type)\n"
        let options = try #require(Self.schema.type(type)).catalogue.options
        for option in options {
            let value = try #require(Self.choices[option.name]?.first)
            variables[Self.schema.variable(option.name)] = value
            file += "    \(option.name): \(option.kind == .value ? "'\(value)'" : value)\n"
        }
        let fromFile = try EffectiveConfiguration(.text(file, file: "f"), Self.schema)
        let fromVariables = try EffectiveConfiguration(
            .single(type),
            Self.schema,
            environment: variables
        )
        for (number, option) in options.enumerated() {
            let expected = [variables[Self.schema.variable(option.name)]!]
            let setting = fromFile.services[0].settings[number]
            #expect(setting.values == expected && setting.origin.description == "f:\(number + 4)")
            let variable = fromVariables.services[0].settings[number]
            #expect(variable.values == expected, "\(option.name)")
            #expect(variable.origin == .environment(Self.schema.variable(option.name)))
        }
    }

    @Test func theOriginIsInAComment() throws {
        let file = "defaults: {retries: 4}\nservices: {w: {type: relay, to: [a, b]}}"
        let found = try EffectiveConfiguration(
            .text(file, file: "some file"),
            Self.schema,
            environment: ["RINGBACK_IDLE_TIMEOUT": "9s"],
            flags: ["--no-pin"]
        )
        let lines = found.yaml.split(separator: "\n").map(String.init)
        #expect(lines.contains("    retries: 4  # some file:1"))
        #expect(lines.contains("    to:  # some file:2") && lines.contains("      - b"))
        #expect(lines.contains("    idle-timeout: 9s  # RINGBACK_IDLE_TIMEOUT"))
        #expect(lines.contains("    pin: false  # command line"))
        #expect(lines.contains("    buffers: 1024  # default"))
        #expect(lines.contains("    # backlog: not set"))
    }
}
