// What ArgumentParser tells of its options: a form that is no interface of it, so that another
// version of the package may have another.

import ArgumentParser
import Testing

@testable import Configuration
@testable import ringback

struct CatalogueTests {
    private let toy = OptionCatalogue(of: Toy.self)

    @Test func hasEveryOptionOnceAndNoOther() {
        #expect(
            toy.options.map(\.name)
                == ["listen", "idle-timeout", "pin", "fast", "owner", "secret"]
        )
    }

    @Test func tellsKindsApart() {
        #expect(toy["listen"]?.kind == .value && toy["listen"]?.repeats == true)
        #expect(toy["idle-timeout"]?.kind == .value && toy["idle-timeout"]?.repeats == false)
        #expect(toy["pin"]?.kind == .invertedFlag)
        #expect(toy["fast"]?.kind == .flag)
        #expect(toy["no-pin"] == nil)
        #expect(toy["secret"]?.isShown == false)
    }

    @Test func knowsDefaults() {
        #expect(Setting(standard: toy["listen"]!).values == ["a", "b"])
        #expect(toy["idle-timeout"]?.defaultText == "5")
        #expect(toy["pin"]?.defaultText == "true")
        #expect(toy["fast"]?.defaultText == "false")
        #expect(toy["owner"]?.defaultText == nil)
        #expect(toy["owner"]?.abstract == "Who.")
    }

    @Test func triesValues() {
        #expect(toy.refusal(of: toy["idle-timeout"]!, "6") == nil)
        #expect(
            toy.refusal(of: toy["idle-timeout"]!, "x")
                == "The value 'x' is invalid for '--idle-timeout <idle-timeout>'"
        )
        #expect(toy.refusal(of: toy["owner"]!, "--pin") == nil, "a value is no option")
        #expect(toy.refusal(of: toy["owner"]!, "a=b") == nil)
        #expect(toy.refusal(of: toy["owner"]!, "a\0b") != nil, "no argument has a zero in it")
    }

    /// `config` writes defaults out, so a default that its own option does not take would make a
    /// file that is refused.
    @Test(arguments: ["echo", "relay"])
    func everyDefaultOfOursCanBeWritten(_ name: String) throws {
        let type = try #require(ServiceConfiguration.schema.type(name))
        #expect(type.catalogue.options.count > 20)
        for option in type.catalogue.options {
            for value in Setting(standard: option).values {
                #expect(type.catalogue.refusal(of: option, value) == nil, "\(option.name)")
            }
        }
    }

    /// A setting of the process that a service has too could not be told from it in the
    /// environment.
    @Test func noOptionIsOfTheProcessAndOfAService() {
        let schema = ServiceConfiguration.schema
        let own = Set(schema.process.options.map(\.name))
        #expect(own.isDisjoint(with: schema.serviceOptionNames))
        #expect(own.isDisjoint(with: ["defaults", "services"]))
        #expect(!schema.serviceOptionNames.contains("type"))
    }

    @Test(arguments: [
        ("idle-timeot", "idle-timeout"), ("idle_timeout", "idle-timeout"),
        ("idleTimeout", "idle-timeout"), ("lisetn", "listen"), ("listens", "listen"),
        ("Pin", "pin"), ("--fast", "fast"), ("wner", "owner"),
    ])
    func guessesWhatWasMeant(_ written: String, _ meant: String) {
        #expect(NearMiss.of(written, among: toy.options.map(\.name)) == meant)
    }

    @Test(arguments: ["", "-", "x", "timeout", "completely-different"])
    func doesNotGuessWildly(_ written: String) {
        #expect(NearMiss.of(written, among: toy.options.map(\.name)) == nil)
    }
}
