// ServiceFile: what a file says, as layers: the settings of the process, those that services have
// in common, and those of each service. Whatever is wrong is told with its line and left out, so
// that one mistake does not hide the next.

/// A service of a file.
struct FileService {
    let name: String
    let type: ServiceType
    let origin: Origin
    let layer: Layer
}

/// The contents of a file.
struct ServiceFile {
    private(set) var process = Layer()
    private(set) var defaults = Layer()
    /// In the order of the file.
    private(set) var services: [FileService] = []
    private(set) var problems: [Problem] = []
    private let schema: Schema

    /// A value of an option with its place.
    private typealias Item = (text: String, place: Place)

    private static let nameBytesMax = 32

    /// Reads a document.
    init(_ document: Document, _ schema: Schema) {
        self.schema = schema
        problems = document.problems
        let root = document.root
        guard case .mapping(let entries) = root.content else {
            report(root.place, "a file is a mapping with the key 'services'")
            return
        }
        for entry in entries {
            switch entry.key {
            case "defaults": readDefaults(entry)
            case "services": readServices(entry)
            default: readProcess(entry)
            }
        }
        if !entries.contains(where: { $0.key == "services" }) {
            report(root.place, "there are no services; they are written under the key 'services'")
        }
    }

    /// What a file with a service and nothing else would say.
    init(single name: String, _ schema: Schema) {
        self.schema = schema
        guard let type = schema.type(name) else {
            problems = [Problem(.commandLine, "there is no type of service called '\(name)'")]
            return
        }
        services = [
            FileService(name: name, type: type, origin: .commandLine, layer: Layer())
        ]
    }

    private mutating func report(_ place: Place, _ message: String) {
        problems.append(Problem(.file(place), message))
    }

    // ---- the parts of a file ----

    private mutating func readProcess(_ entry: Entry) {
        guard let option = schema.process[entry.key] else {
            let names = ["defaults", "services"] + schema.process.options.map(\.name)
            let hint =
                schema.find(entry.key) == nil
                ? NearMiss.hint(entry.key, among: names)
                : "; what services have in common is written under 'defaults'"
            return report(entry.place, "unknown key '\(entry.key)'\(hint)")
        }
        process = adding([(entry, option)], of: schema.process, to: process)
    }

    private mutating func readDefaults(_ entry: Entry) {
        guard let entries = mapping(entry, of: "options") else { return }
        for entry in entries {
            let types = schema.types.map(\.catalogue)
            guard let catalogue = types.first(where: { $0[entry.key] != nil }),
                let option = catalogue[entry.key]
            else {
                let meant = reportUnknown(entry, schema.serviceOptionNames)
                if let meant { defaults[meant] = nil }
                continue
            }
            defaults = adding([(entry, option)], of: catalogue, to: defaults)
        }
    }

    private mutating func readServices(_ entry: Entry) {
        guard let entries = mapping(entry, of: "services") else { return }
        if entries.isEmpty { report(entry.place, "there are no services under 'services'") }
        for entry in entries { readService(entry) }
    }

    private mutating func readService(_ entry: Entry) {
        let isName = entry.key.utf8.allSatisfy {
            (48...57).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-")
        }
        if !isName || !(1...ServiceFile.nameBytesMax).contains(entry.key.utf8.count) {
            report(
                entry.place,
                "the service's name '\(entry.key)' has to be 1 to \(ServiceFile.nameBytesMax) "
                    + "letters a to z, digits and dashes"
            )
        }
        guard let entries = mapping(entry, of: "options"), let type = type(of: entry, entries)
        else { return }
        var layer = Layer()
        var known: [(Entry, CatalogueOption)] = []
        for entry in entries where entry.key != "type" {
            guard let option = type.catalogue[entry.key] else {
                let names = Set(type.catalogue.options.map(\.name))
                if let meant = reportUnknown(entry, names, of: type) { layer[meant] = nil }
                continue
            }
            known.append((entry, option))
        }
        layer = adding(known, of: type.catalogue, to: layer)
        services.append(
            FileService(name: entry.key, type: type, origin: .file(entry.place), layer: layer)
        )
    }

    private mutating func type(of service: Entry, _ entries: [Entry]) -> ServiceType? {
        let names = schema.types.map(\.name)
        let list = names.joined(separator: " or ")
        guard let entry = entries.first(where: { $0.key == "type" }) else {
            report(service.place, "service '\(service.key)' has no type; 'type' is \(list)")
            return nil
        }
        guard case .scalar(let name) = entry.value.content else {
            report(entry.value.place, "'type' is \(list)")
            return nil
        }
        guard let type = schema.type(name) else {
            let hint = NearMiss.hint(name, among: names)
            report(entry.value.place, "unknown type '\(name)': it is \(list)\(hint)")
            return nil
        }
        return type
    }

    // ---- keys and values ----

    private mutating func mapping(_ entry: Entry, of what: String) -> [Entry]? {
        switch entry.value.content {
        case .mapping(let entries): return entries
        case .nothing: return []
        case .unread: return nil
        case .scalar, .list:
            report(entry.value.place, "'\(entry.key)' has to be a mapping of \(what)")
            return nil
        }
    }

    /// - Returns: the option that was probably meant.
    private mutating func reportUnknown(
        _ entry: Entry,
        _ names: Set<String>,
        of type: ServiceType? = nil
    ) -> String? {
        let positive = String(entry.key.dropFirst(3))
        if entry.key.hasPrefix("no-"), names.contains(positive) {
            report(entry.place, "unknown key '\(entry.key)'; write '\(positive): false'")
            return positive
        }
        let others = schema.types.filter { $0.catalogue[entry.key] != nil }.map(\.name)
        if let type, !others.isEmpty {
            let owners = others.joined(separator: " and ")
            report(entry.place, "'\(entry.key)' is of type \(owners), not of \(type.name)")
            return nil
        }
        let hint = NearMiss.hint(entry.key, among: names)
        report(entry.place, "unknown key '\(entry.key)'\(hint)")
        return NearMiss.of(entry.key, among: names)
    }

    /// The items of an entry that sets an option; nil where it cannot be that.
    private mutating func items(_ entry: Entry, _ option: CatalogueOption) -> [Item]? {
        let values: [Value]
        switch entry.value.content {
        case .list(let list) where option.repeats && !list.isEmpty: values = list
        case .list where option.repeats:
            report(entry.value.place, "'\(entry.key)' has an empty list; leave it out instead")
            return nil
        case .list:
            report(entry.value.place, "'\(entry.key)' takes one value, not a list")
            return nil
        default: values = [entry.value]
        }
        let items = values.compactMap { item($0, option) }
        return items.count == values.count ? items : nil
    }

    private mutating func item(_ value: Value, _ option: CatalogueOption) -> Item? {
        switch value.content {
        case .unread:
            break
        case .nothing:
            report(value.place, "'\(option.name)' has no value")
        case .list:
            report(value.place, "'\(option.name)' takes values, not lists of them")
        case .mapping:
            report(value.place, "'\(option.name)' takes a value, not a mapping")
        case .scalar(let text):
            guard let mistake = option.mistake(in: text) else { return (text, value.place) }
            report(value.place, mistake)
        }
        return nil
    }

    /// A layer with entries of options, if the command takes them. It is asked once for them all,
    /// since asking is slow, and for each where that fails.
    private mutating func adding(
        _ entries: [(entry: Entry, option: CatalogueOption)],
        of catalogue: OptionCatalogue,
        to layer: Layer
    ) -> Layer {
        var layer = layer
        var settings: [(Setting, [Item])] = []
        for (entry, option) in entries {
            guard let items = items(entry, option) else {
                layer[entry.key] = nil
                continue
            }
            settings.append((Setting(option, items.map(\.text), .file(entry.place)), items))
        }
        let areAllTaken = catalogue.refusal(of: settings.flatMap(\.0.arguments)) == nil
        for (setting, items) in settings {
            let refused =
                areAllTaken
                ? []
                : items.compactMap { item in
                    catalogue.refusal(of: setting.option, item.text).map { (item.place, $0) }
                }
            for (place, message) in refused { report(place, message) }
            layer[setting.option.name] = refused.isEmpty ? setting : nil
        }
        return layer
    }
}
