// Schema: what a configuration may consist of: the settings of the process, and the types of
// services with their options. The room knows no command; a program says here which it has.

public import ArgumentParser

/// A type of service.
public struct ServiceType: Sendable {
    /// What `type:` says of it, and what its command is called.
    public let name: String
    /// Its options, but for those of the process.
    public private(set) var catalogue: OptionCatalogue
    /// The options of its command, which runs a process of its own.
    let ofCommand: OptionCatalogue
    /// What keeps a command that can be parsed from being run.
    let judge: @Sendable (any ParsableArguments) -> [String]

    /// The type of services that a command runs.
    ///
    /// - Parameter judge: says what keeps a parsed command from being run, in lines that name the
    ///   options concerned as `--option`.
    public init(
        _ name: String,
        _ command: any ParsableArguments.Type,
        judge: @escaping @Sendable (any ParsableArguments) -> [String] = { _ in [] }
    ) {
        self.name = name
        self.judge = judge
        ofCommand = OptionCatalogue(of: command)
        catalogue = ofCommand
    }

    /// The type beside a process that has some of the options.
    fileprivate func without(_ options: [CatalogueOption]) -> ServiceType {
        var type = self
        let names = Set(options.map(\.name))
        type.catalogue = OptionCatalogue(
            command: catalogue.command,
            options: catalogue.options.filter { !names.contains($0.name) }
        )
        return type
    }
}

/// Everything that a configuration may consist of.
public struct Schema: Sendable {
    /// The settings of the process. Where a command has one of them too, it is the process's.
    public let process: OptionCatalogue
    /// The types of services.
    public let types: [ServiceType]
    /// What the names of environment variables begin with, such as `RINGBACK_`.
    let variablePrefix: String
    /// What the names of other people's variables begin with, of which nothing is said.
    let foreignPrefixes: [String]
    /// What keeps the process from running with its settings, as a `ServiceType` says it.
    let judgeProcess: @Sendable (any ParsableArguments) -> [String]
    /// What keeps services from running beside each other.
    let judgeTogether: @Sendable ([EffectiveService]) -> [Problem]

    /// A schema.
    public init(
        process: any ParsableArguments.Type,
        types: [ServiceType],
        variablePrefix: String,
        foreignPrefixes: [String] = [],
        judgeProcess: @escaping @Sendable (any ParsableArguments) -> [String] = { _ in [] },
        judgeTogether: @escaping @Sendable ([EffectiveService]) -> [Problem] = { _ in [] }
    ) {
        let process = OptionCatalogue(of: process)
        self.process = process
        self.types = types.map { $0.without(process.options) }
        self.variablePrefix = variablePrefix
        self.foreignPrefixes = foreignPrefixes
        self.judgeProcess = judgeProcess
        self.judgeTogether = judgeTogether
    }

    /// The type of a name.
    public func type(_ name: String) -> ServiceType? { types.first { $0.name == name } }

    /// The first catalogue that has an option, with the option.
    func find(_ name: String, of type: ServiceType? = nil) -> (OptionCatalogue, CatalogueOption)? {
        let catalogues = [process] + (type.map { [$0] } ?? types).map(\.catalogue)
        return catalogues.lazy.compactMap { catalogue in
            catalogue[name].map { (catalogue, $0) }
        }.first
    }

    /// The names of all options of services.
    var serviceOptionNames: Set<String> {
        Set(types.flatMap { $0.catalogue.options.map(\.name) })
    }
}
