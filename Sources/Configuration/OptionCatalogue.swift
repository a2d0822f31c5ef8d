// OptionCatalogue: the options of a command, as ArgumentParser itself tells of them. So a file and
// the environment know every option of the command line from the day that it exists, and no option
// is written down twice.

public import ArgumentParser
import FoundationEssentials

/// An option that a file, the environment and the command line can set.
public struct CatalogueOption: Hashable, Sendable {
    /// What it takes.
    public enum Kind: Hashable, Sendable {
        /// A value.
        case value
        /// Nothing: it is there or not.
        case flag
        /// Nothing, and `--no-` before its name is the contrary.
        case invertedFlag
    }

    /// Its long name, without dashes.
    public let name: String
    /// What it takes.
    public let kind: Kind
    /// Whether it may be given several times.
    public let repeats: Bool
    /// What it is where nobody sets it: as text that it would take. Nil where that is nothing.
    public let defaultText: String?
    /// What it is for.
    public let abstract: String
    /// Whether the help has it.
    public let isShown: Bool

    /// The arguments that set it. A flag's values are `true` and `false`.
    func arguments(_ values: [String]) -> [String] {
        switch kind {
        case .value: values.map { "--\(name)=\($0)" }
        case .flag: values.last == "true" ? ["--\(name)"] : []
        case .invertedFlag: values.last == "true" ? ["--\(name)"] : ["--no-\(name)"]
        }
    }
}

extension CatalogueOption {
    /// What is wrong with a value before any command is asked; nil where nothing is.
    func mistake(in value: String) -> String? {
        guard kind == .value || ["true", "false"].contains(value) else {
            return "'\(name)' has to be true or false, not '\(value)'"
        }
        return value.utf8.contains(0) ? "no value has a zero byte in it" : nil
    }
}

/// All options of a command.
public struct OptionCatalogue: Sendable {
    /// The command, or a group of options.
    public let command: any ParsableArguments.Type
    /// Its options, in the order of its help.
    public let options: [CatalogueOption]

    /// Some of the options of a command.
    init(command: any ParsableArguments.Type, options: [CatalogueOption]) {
        self.command = command
        self.options = options
    }

    /// The options of a command.
    public init(of command: any ParsableArguments.Type) {
        self.command = command
        let told: Told
        do {
            told = try JSONDecoder().decode(Told.self, from: Data(command._dumpHelp().utf8))
        } catch {
            // A test loads every catalogue, so this is met when the package is exchanged.
            preconditionFailure("ArgumentParser tells of its options in another form: \(error)")
        }
        let arguments = told.command.arguments ?? []
        let names = Set(arguments.compactMap(\.longName))
        options = arguments.compactMap { argument in
            guard let name = argument.longName, !["help", "version"].contains(name) else {
                return nil
            }
            let isFlag = argument.kind == "flag"
            // The contrary of an inverted flag is told of as a flag of its own.
            if isFlag, name.hasPrefix("no-"), names.contains(String(name.dropFirst(3))) {
                return nil
            }
            let isInverted = isFlag && names.contains("no-\(name)")
            return CatalogueOption(
                name: name,
                kind: isInverted ? .invertedFlag : isFlag ? .flag : .value,
                repeats: argument.isRepeating,
                defaultText: isFlag
                    ? "\(argument.defaultValue == "--\(name)")" : argument.defaultValue,
                abstract: argument.abstract ?? "",
                isShown: argument.shouldDisplay
            )
        }
    }

    /// The option of a name.
    public subscript(_ name: String) -> CatalogueOption? { options.first { $0.name == name } }

    /// Why the command does not take an option with a value; nil where it does. It is asked with
    /// nothing but that, so what it says is of that.
    func refusal(of option: CatalogueOption, _ value: String) -> String? {
        option.mistake(in: value) ?? refusal(of: option.arguments([value]))
    }

    /// Why the command does not take arguments; nil where it does.
    func refusal(of arguments: [String]) -> String? {
        do {
            _ = try command.parse(arguments)
            return nil
        } catch {
            return words(for: error)
        }
    }

    /// What the command says of an error, in one line.
    func words(for error: any Error) -> String {
        command.message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}

// ---- what ArgumentParser tells ----

private struct Told: Decodable {
    let command: ToldCommand
}

private struct ToldCommand: Decodable {
    let arguments: [ToldArgument]?
}

private struct ToldArgument: Decodable {
    struct Name: Decodable {
        let kind: String
        let name: String
    }

    let kind: String
    let names: [Name]?
    let isRepeating: Bool
    let shouldDisplay: Bool
    let defaultValue: String?
    let abstract: String?

    /// The name of an option or a flag; nil of a positional argument.
    var longName: String? {
        kind == "positional" ? nil : names?.first { $0.kind == "long" }?.name
    }
}
