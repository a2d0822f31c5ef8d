// Setting: an option with its values and its origin; and a layer, which has at most one setting of
// each option. Layers are put upon each other: a setting of a higher one takes the place of a lower
// one's, with all its values.

/// An option with what it is set to.
public struct Setting: Sendable, Hashable {
    /// The option.
    public let option: CatalogueOption
    /// One value, `true` or `false` for a flag; any number where the option may be repeated. None
    /// where nobody has set an option that has no default.
    public let values: [String]
    /// Where they come from.
    public let origin: Origin

    /// A setting.
    public init(_ option: CatalogueOption, _ values: [String], _ origin: Origin) {
        self.option = option
        self.values = values
        self.origin = origin
    }

    /// What an option is where nobody has set it.
    init(standard option: CatalogueOption) {
        let text = option.defaultText
        // This is how ArgumentParser joins the values of a list.
        let values =
            option.repeats ? text?.split(separator: ", ").map(String.init) : text.map { [$0] }
        self.init(option, values ?? [], .standard)
    }

    /// The arguments that set it: none where it is the default, which the command knows itself.
    public var arguments: [String] { origin == .standard ? [] : option.arguments(values) }
}

/// Settings of one origin.
struct Layer {
    private var settings: [String: Setting] = [:]
    /// Options that were to be set, but with what they cannot take.
    private(set) var leftOut: Set<String> = []

    /// What an option is set to. It is left out where it is set to nil.
    subscript(_ name: String) -> Setting? {
        get { settings[name] }
        set {
            settings[name] = newValue
            if newValue == nil { leftOut.insert(name) }
        }
    }
}

extension OptionCatalogue {
    /// Every option with what it comes to be under some layers, the highest last.
    func settings(under layers: [Layer]) -> [Setting] {
        options.map { option in
            let setting = layers.reversed().lazy.compactMap { $0[option.name] }.first
            return setting.map { Setting(option, $0.values, $0.origin) }
                ?? Setting(standard: option)
        }
    }
}

extension [Setting] {
    /// The arguments that reproduce them.
    public var arguments: [String] { flatMap(\.arguments) }

    /// What an option is set to.
    public func values(of option: String) -> [String] {
        first { $0.option.name == option }?.values ?? []
    }

    /// Where an option is set; nil where nobody has set it.
    public func origin(of option: String) -> Origin? {
        first { $0.option.name == option && $0.origin != .standard }?.origin
    }

    /// Where the option is set that a line names first of those that are set.
    func origin(ofOptionIn line: String) -> Origin? {
        line.optionNames.lazy.compactMap { origin(of: $0) }.first
    }
}

extension String {
    /// The options that a line for people names.
    var optionNames: [String] {
        matches(of: /--([a-z][a-z-]*)/).map { String($0.output.1) }
    }
}
