// Flags: settings from the command line, for several services at once. ArgumentParser cannot read
// these, since it knows one command at a time; it judges each value all the same.

/// What the command line sets.
struct Flags {
    private(set) var layer = Layer()
    private(set) var problems: [Problem] = []

    /// - Parameter type: the only type of service that they may be for; nil for any.
    init(_ arguments: [String], _ schema: Schema, type: ServiceType? = nil) {
        let catalogues = [schema.process] + (type.map { [$0] } ?? schema.types).map(\.catalogue)
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let found = catalogues.lazy.compactMap { catalogue in
                catalogue.option(in: argument).map { ($0, catalogue) }
            }.first
            guard let ((option, inner), catalogue) = found else {
                report(Flags.refusal(of: argument, catalogues))
                // What follows is probably its value.
                if argument.hasPrefix("--"), rest.first?.hasPrefix("--") == false {
                    rest.removeFirst()
                }
                continue
            }
            let next = inner == nil && rest.first?.hasPrefix("--") == false ? rest.popFirst() : nil
            guard let value = inner ?? next else {
                report("Missing value for '--\(option.name)'")
                continue
            }
            set(option, value, catalogue)
        }
    }

    private mutating func set(
        _ option: CatalogueOption,
        _ value: String,
        _ catalogue: OptionCatalogue
    ) {
        if let refusal = catalogue.refusal(of: option, value) {
            layer[option.name] = nil
            return report(refusal)
        }
        let before = option.repeats ? layer[option.name]?.values ?? [] : []
        layer[option.name] = Setting(option, before + [value], .commandLine)
    }

    private mutating func report(_ message: String) {
        problems.append(Problem(.commandLine, message))
    }

    private static func refusal(of argument: String, _ catalogues: [OptionCatalogue]) -> String {
        guard argument.hasPrefix("-") else { return "Unexpected argument '\(argument)'" }
        let names = catalogues.flatMap { $0.options.map { "--\($0.name)" } }
        return "Unknown option '\(argument)'" + NearMiss.hint(argument, among: names)
    }
}

extension OptionCatalogue {
    /// The option that an argument names, with the value that it has in it; that of a flag is
    /// `true` or `false`.
    func option(in argument: String) -> (option: CatalogueOption, value: String?)? {
        guard argument.hasPrefix("--") else { return nil }
        let parts = argument.dropFirst(2).split(
            separator: "=",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        let name = String(parts[0])
        let value = parts.count == 2 ? String(parts[1]) : nil
        if let option = self[name] {
            guard option.kind != .value else { return (option, value) }
            return value == nil ? (option, "true") : nil
        }
        guard name.hasPrefix("no-"), value == nil, let option = self[String(name.dropFirst(3))],
            option.kind == .invertedFlag
        else { return nil }
        return (option, "false")
    }
}
