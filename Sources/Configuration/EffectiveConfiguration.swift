// EffectiveConfiguration: what is in force when all layers have been put upon each other: defaults,
// the file, the environment, the command line. It exists only where nothing is wrong with it; a
// refusal says everything that is.

public import ArgumentParser

/// A service with all that is set of it.
public struct EffectiveService {
    /// Its name.
    public let name: String
    /// Its type.
    public let type: ServiceType
    /// Where it is written.
    public let origin: Origin
    /// Every option of its type, in the order of the help.
    public let settings: [Setting]
    /// The command, parsed.
    public let command: any ParsableArguments

    /// Where an option is set; where the service is written if nobody has set it.
    public func origin(of option: String) -> Origin { settings.origin(of: option) ?? origin }
}

/// What is in force.
public struct EffectiveConfiguration {
    /// Where the services are taken from.
    public enum Source: Sendable {
        /// A file.
        case file(String)
        /// The text of a file of some name.
        case text(String, file: String)
        /// There is one service, of this type and name.
        case single(String)
    }

    /// The settings of the process.
    public let process: [Setting]
    /// The same, parsed.
    public let processOptions: any ParsableArguments
    /// The services, in the order of the file.
    public private(set) var services: [EffectiveService] = []
    /// What is in no way wrong, but not as it was meant either: lines for people.
    public let warnings: [String]

    /// Puts the layers upon each other.
    ///
    /// - Parameters:
    ///   - flags: of the process and of services, as on a command line; each is for every service
    ///     whose type has the option.
    ///   - type: the only type of service that the flags are for; nil for any.
    public init(
        _ source: Source,
        _ schema: Schema,
        environment: [String: String] = [:],
        flags arguments: [String] = [],
        for type: String? = nil
    ) throws(ConfigurationRefused) {
        let type = type.flatMap(schema.type)
        let variables = Variables(environment, schema)
        let flags = Flags(arguments, schema, type: type)
        warnings = variables.warnings
        let file = try EffectiveConfiguration.contents(of: source, schema)

        var problems = variables.problems + flags.problems + file.problems
        process = schema.process.settings(under: [file.process, variables.layer, flags.layer])
        processOptions = try schema.process.parse(process, or: .commandLine)
        problems += schema.judgeProcess(processOptions).map {
            Problem(process.origin(ofOptionIn: $0) ?? .commandLine, $0)
        }
        for service in file.services {
            let isMeant = type == nil || type?.name == service.type.name
            let layers =
                [file.defaults, service.layer, variables.layer]
                + (isMeant ? [flags.layer] : [])
            do throws(ConfigurationRefused) {
                let effective = try EffectiveService(service, layers)
                services.append(effective)
                problems += effective.obstacles(without: Set(layers.flatMap(\.leftOut)))
            } catch {
                problems += error.problems
            }
        }
        problems += schema.judgeTogether(services)
        guard problems.isEmpty else { throw ConfigurationRefused(problems.inOrder) }
    }

    private static func contents(
        of source: Source,
        _ schema: Schema
    ) throws(ConfigurationRefused) -> ServiceFile {
        switch source {
        case .file(let path):
            let text = try TextFile.read(path)
            return ServiceFile(try Document(parsing: text, file: path), schema)
        case .text(let text, let file):
            let text = try TextFile.text(Array(text.utf8), file: file)
            return ServiceFile(try Document(parsing: text, file: file), schema)
        case .single(let name):
            return ServiceFile(single: name, schema)
        }
    }
}

extension EffectiveService {
    /// A service of a file under all layers.
    fileprivate init(_ service: FileService, _ layers: [Layer]) throws(ConfigurationRefused) {
        name = service.name
        type = service.type
        origin = service.origin
        settings = type.catalogue.settings(under: layers)
        command = try type.catalogue.parse(settings, or: origin)
    }

    /// What keeps the command from being run. Of options that were left out for a reason that is
    /// told anyway nothing more is said.
    fileprivate func obstacles(without leftOut: Set<String>) -> [Problem] {
        type.judge(command).filter { leftOut.isDisjoint(with: $0.optionNames) }.map { line in
            Problem(settings.origin(ofOptionIn: line) ?? origin, "service '\(name)': \(line)")
        }
    }
}

extension OptionCatalogue {
    /// The command with all its settings. Each has been tried before, so a refusal is of them all
    /// together.
    fileprivate func parse(
        _ settings: [Setting],
        or origin: Origin
    ) throws(ConfigurationRefused) -> any ParsableArguments {
        do {
            return try command.parse(settings.arguments)
        } catch {
            let line = words(for: error)
            let origin = settings.origin(ofOptionIn: line) ?? origin
            throw ConfigurationRefused([Problem(origin, line)])
        }
    }
}

extension [Problem] {
    /// Those of the command line and the environment first, then those of the file by their lines,
    /// each once.
    fileprivate var inOrder: [Problem] {
        var seen: Set<Problem> = []
        let keyed = filter { seen.insert($0).inserted }.enumerated().map { number, problem in
            guard case .file(let place) = problem.origin else { return (0, 0, number, problem) }
            return (place.line, place.column, number, problem)
        }
        return keyed.sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }.map(\.3)
    }
}
