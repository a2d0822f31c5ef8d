// Configuration files: refused with lines that say where, or taken, and then written and read again
// as the same.

import Configuration

@testable import ringback

func checkConfiguration(_ text: String) throws {
    let found: EffectiveConfiguration
    do throws(ConfigurationRefused) {
        found = try EffectiveConfiguration(.text(text, file: "f"), ServiceConfiguration.schema)
    } catch {
        try demand(!error.problems.isEmpty, "a refusal says something")
        for problem in error.problems {
            let line = problem.description
            try demand(line.hasPrefix("f:"), "'\(line)' says where")
            try demand(!line.contains(where: \.isNewline), "'\(line)' is one line")
        }
        return
    }
    let services = ServiceConfiguration(found).services
    try demand(!services.isEmpty, "a file has services")
    try demand(services.count == found.services.count, "each service has a command of ours")
    let written = found.yaml
    let again: EffectiveConfiguration
    do throws(ConfigurationRefused) {
        again = try EffectiveConfiguration(.text(written, file: "f"), ServiceConfiguration.schema)
    } catch {
        throw Disproof(claim: "what is written is taken: \(error.problems)", line: #line)
    }
    for (one, other) in zip(found.services, again.services) {
        try demand(one.name == other.name, "the services are the same")
        try demand(
            one.settings.map(\.values) == other.settings.map(\.values),
            "'\(one.name)' is read as it was written"
        )
    }
}
