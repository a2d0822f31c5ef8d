// Variables: settings from the environment. `RINGBACK_IDLE_TIMEOUT` is `--idle-timeout`; the values
// of an option that may be repeated are separated by blanks or new lines, since a comma is part of
// some values.

/// What the environment sets.
struct Variables {
    private(set) var layer = Layer()
    private(set) var problems: [Problem] = []
    /// Variables that look like settings and are none.
    private(set) var warnings: [String] = []

    /// - Parameter type: the only type of service that is asked for; nil where any may be.
    init(_ environment: [String: String], _ schema: Schema, type: ServiceType? = nil) {
        let names = schema.serviceOptionNames.union(schema.process.options.map(\.name))
        let known = Dictionary(
            uniqueKeysWithValues: names.map { (schema.variable($0), $0) }
        )
        for (variable, value) in environment.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix(schema.variablePrefix) {
            guard let name = known[variable] else {
                if schema.foreignPrefixes.contains(where: variable.hasPrefix) { continue }
                let hint = NearMiss.hint(variable, among: known.keys)
                warnings.append(
                    "\(variable) sets nothing: there is no such option\(hint)".inOneLine
                )
                continue
            }
            // A variable that is empty is as good as none: some tools cannot leave one out.
            guard value.contains(where: { !$0.isWhitespace }),
                let (catalogue, option) = schema.find(name, of: type)
            else {
                continue
            }
            set(option, value, catalogue, .environment(variable))
        }
    }

    private mutating func set(
        _ option: CatalogueOption,
        _ value: String,
        _ catalogue: OptionCatalogue,
        _ origin: Origin
    ) {
        let values =
            option.repeats
            ? value.split(whereSeparator: \.isWhitespace).map(String.init) : [value]
        let refusals = values.compactMap { catalogue.refusal(of: option, $0) }
        problems += refusals.map { Problem(origin, $0) }
        layer[option.name] = refusals.isEmpty ? Setting(option, values, origin) : nil
    }
}

extension Schema {
    /// The variable of an option.
    func variable(_ option: String) -> String {
        variablePrefix + option.uppercased().replacing("-", with: "_")
    }

    /// The command line of a service with what the environment sets and the line does not.
    ///
    /// - Parameter arguments: the program's, beginning with the name of a command. Those of other
    ///   commands, and those that ask for help, are given back as they are.
    /// - Returns: the arguments, and a line for each variable that sets nothing.
    public func arguments(
        _ arguments: [String],
        environment: [String: String]
    ) throws(ConfigurationRefused) -> (arguments: [String], warnings: [String]) {
        let hasVariable = environment.keys.contains { $0.hasPrefix(variablePrefix) }
        guard hasVariable, let name = arguments.first, let type = type(name),
            !arguments.contains(where: { ["-h", "--help", "--version"].contains($0) })
        else { return (arguments, []) }
        let variables = Variables(environment, self, type: type)
        guard variables.problems.isEmpty else { throw ConfigurationRefused(variables.problems) }
        let given = Set(arguments.compactMap { type.ofCommand.option(in: $0)?.option.name })
        let added = type.ofCommand.options
            .compactMap { variables.layer[$0.name] }
            .filter { !given.contains($0.option.name) }
        return ([name] + added.arguments + arguments.dropFirst(), variables.warnings)
    }
}
