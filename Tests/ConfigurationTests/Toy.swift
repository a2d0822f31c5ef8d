// A command and a schema that have every kind of option, so that the room is tested without any of
// ringback's own.

import ArgumentParser

@testable import Configuration

struct Toy: ParsableCommand {
    @Option(help: "Where.") var listen: [String] = ["a", "b"]
    @Option(help: "How long.") var idleTimeout: Int = 5
    @Flag(inversion: .prefixedNo, help: "Whether to.") var pin = true
    @Flag(help: "How fast.") var fast = false
    @Option(help: "Who.") var owner: String?
    @Option(help: .hidden) var secret: String?

    /// Two values that are right each by itself.
    func validate() throws {
        guard owner == "nobody", idleTimeout == 7 else { return }
        throw ValidationError("--owner nobody cannot have --idle-timeout 7")
    }
}

struct OtherToy: ParsableCommand {
    @Option(help: "Where to.") var to: [String] = []
    @Option(help: "How long.") var idleTimeout: Int = 5
}

struct ToyProcess: ParsableArguments {
    @Option(help: "Whom to tell.") var admin: Int?
}

extension Schema {
    static let toy = Schema(
        process: ToyProcess.self,
        types: [
            ServiceType("toy", Toy.self) { command in
                guard let toy = command as? Toy, toy.idleTimeout < 0 else { return [] }
                return ["--idle-timeout must not be negative", "it is \(toy.idleTimeout)"]
            },
            ServiceType("other", OtherToy.self) { command in
                (command as? OtherToy)?.to.isEmpty == true ? ["--to is missing"] : []
            },
        ],
        variablePrefix: "TOY_",
        foreignPrefixes: ["TOY_BUILD"],
        judgeProcess: { ($0 as? ToyProcess)?.admin == 13 ? ["--admin must not be 13"] : [] },
        judgeTogether: { services in
            services.filter { $0.name == "lonely" && services.count > 1 }.map {
                Problem($0.origin(of: "listen"), "'lonely' has company")
            }
        }
    )
}

/// The lines with which a file is refused; none where it is taken.
func refusal(
    _ text: String,
    environment: [String: String] = [:],
    flags: [String] = [],
    schema: Schema = .toy
) -> [String] {
    do throws(ConfigurationRefused) {
        _ = try EffectiveConfiguration(
            .text(text, file: "f"),
            schema,
            environment: environment,
            flags: flags
        )
        return []
    } catch {
        return error.problems.map(\.description)
    }
}
