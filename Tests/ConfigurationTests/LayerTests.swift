// Which layer has its way, and that each setting remembers where it comes from.

import Testing

@testable import Configuration

struct LayerTests {
    private let file = """
        admin: 1
        defaults:
          idle-timeout: 20
          listen: [d1, d2]
          owner: default-owner
        services:
          one:
            type: toy
            idle-timeout: 30
            fast: true
          two:
            type: other
            to: x
        """

    private func effective(
        _ environment: [String: String] = [:],
        _ flags: [String] = [],
        for type: String? = nil
    ) throws -> EffectiveConfiguration {
        try EffectiveConfiguration(
            .text(file, file: "f"),
            .toy,
            environment: environment,
            flags: flags,
            for: type
        )
    }

    private func setting(_ name: String, _ found: EffectiveConfiguration, of number: Int = 0)
        -> String
    {
        let settings = found.services[number].settings
        let origin = settings.first { $0.option.name == name }!.origin
        return "\(settings.values(of: name)) \(origin)"
    }

    /// One option that every layer sets, with the layers taken away from the top.
    @Test func eachLayerHasItsWayOverThoseBelow() throws {
        let variables = ["TOY_IDLE_TIMEOUT": "40"]
        let all = try effective(variables, ["--idle-timeout", "50"])
        #expect(setting("idle-timeout", all) == #"["50"] command line"#)
        let noFlag = try effective(variables)
        #expect(setting("idle-timeout", noFlag) == #"["40"] TOY_IDLE_TIMEOUT"#)
        let onlyFile = try effective()
        #expect(setting("idle-timeout", onlyFile) == #"["30"] f:9"#)
        #expect(setting("idle-timeout", onlyFile, of: 1) == #"["20"] f:3"#)
        #expect(setting("pin", onlyFile) == #"["true"] default"#)
        #expect(setting("secret", onlyFile) == "[] default")
    }

    @Test func defaultsAreForThoseThatHaveTheOption() throws {
        let found = try effective()
        #expect(setting("owner", found) == #"["default-owner"] f:5"#)
        #expect(found.services[1].settings.map(\.option.name) == ["to", "idle-timeout"])
    }

    /// Lists are replaced, not joined: otherwise nothing could be taken away.
    @Test func aListReplacesTheOneBelow() throws {
        #expect(setting("listen", try effective()) == #"["d1", "d2"] f:4"#)
        let variables = ["TOY_LISTEN": " e1,weight=3\n\te2 "]
        #expect(
            setting("listen", try effective(variables)) == #"["e1,weight=3", "e2"] TOY_LISTEN"#
        )
        let flags = ["--listen", "f1", "--listen=f2"]
        #expect(setting("listen", try effective(variables, flags)) == #"["f1", "f2"] command line"#)
    }

    @Test func flagsCanBeTakenBack() throws {
        let found = try effective(["TOY_FAST": "false", "TOY_PIN": "true"], ["--no-pin"])
        #expect(setting("fast", found) == #"["false"] TOY_FAST"#)
        #expect(setting("pin", found) == #"["false"] command line"#)
        let toy = try #require(found.services[0].command as? Toy)
        #expect(!toy.fast && !toy.pin)
    }

    @Test func theCommandIsParsedFromWhatIsInForce() throws {
        let found = try effective(["TOY_OWNER": "a b"], ["--admin", "3"])
        let toy = try #require(found.services[0].command as? Toy)
        #expect(toy.idleTimeout == 30 && toy.listen == ["d1", "d2"] && toy.owner == "a b")
        #expect((found.services[1].command as? OtherToy)?.to == ["x"])
        #expect((found.processOptions as? ToyProcess)?.admin == 3)
        #expect(found.services.map(\.name) == ["one", "two"], "in the order of the file")
    }

    @Test func flagsCanBeForOneType() throws {
        let found = try effective([:], ["--idle-timeout", "50"], for: "other")
        #expect(setting("idle-timeout", found) == #"["30"] f:9"#)
        #expect(setting("idle-timeout", found, of: 1) == #"["50"] command line"#)
    }

    @Test func variablesThatSetNothingAreTold() throws {
        let found = try effective([
            "TOY_IDEL_TIMEOUT": "1", "TOY_BUILD_DIRECTORY": "x", "TOY_OWNER": "", "OTHER": "y",
        ])
        #expect(
            found.warnings == [
                "TOY_IDEL_TIMEOUT sets nothing: there is no such option; "
                    + "did you mean 'TOY_IDLE_TIMEOUT'?"
            ]
        )
        #expect(setting("owner", found) == #"["default-owner"] f:5"#, "an empty one is none")
    }

    // ---- a service without a file ----

    private func arguments(_ line: String, _ environment: [String: String]) throws -> [String] {
        let words = line.split(separator: " ").map(String.init)
        return try Schema.toy.arguments(words, environment: environment).arguments
    }

    @Test func theEnvironmentCompletesACommandLine() throws {
        let environment = ["TOY_IDLE_TIMEOUT": "9", "TOY_PIN": "false", "TOY_TO": "z"]
        #expect(
            try arguments("toy --fast", environment)
                == ["toy", "--idle-timeout=9", "--no-pin", "--fast"]
        )
        #expect(
            try arguments("toy --idle-timeout=3 --pin", environment)
                == ["toy", "--idle-timeout=3", "--pin"]
        )
    }

    @Test func otherCommandLinesStayAsTheyAre() throws {
        let environment = ["TOY_IDLE_TIMEOUT": "wrong"]
        for line in ["help toy", "doctor --fast", "toy --help", ""] {
            #expect(try arguments(line, environment).joined(separator: " ") == line)
        }
        #expect(throws: ConfigurationRefused.self) { try arguments("toy", environment) }
    }
}
