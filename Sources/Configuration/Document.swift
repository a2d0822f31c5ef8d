// Document: a YAML text as a tree of values, each with its place. This is the only file that knows
// the parser. It keeps away from the parser what would make it stop early or work for ever:
//
// - The parser gives up at the first key that is there twice. The first of the two then gets
//   another name and the text is read again, so that the other mistakes are found as well.
// - Aliases of aliases stand for exponentially many values, and the parser compares keys by all
//   that they stand for. So a text with more than a few of them is refused before it is parsed, and
//   any anchor after; what services have in common is written under `defaults` instead.

import Yams

/// A value of a file.
struct Value {
    indirect enum Content {
        /// A word, or a text in quotes.
        case scalar(String)
        /// Nothing, as behind a key without a value.
        case nothing
        /// Something that is refused already.
        case unread
        case list([Value])
        case mapping([Entry])
    }

    let content: Content
    let place: Place
}

/// A key of a mapping with its value.
struct Entry {
    let key: String
    let place: Place
    let value: Value
}

/// A parsed text.
struct Document {
    /// The value that the text is.
    let root: Value
    /// What is wrong with it wherever it is used.
    let problems: [Problem]

    /// Parses a text.
    init(parsing text: String, file: String) throws(ConfigurationRefused) {
        if let place = Aliases.tooMany(text, file: file) {
            throw ConfigurationRefused([Problem(.file(place), Aliases.refusal)])
        }
        var scalars = Array(text.unicodeScalars)
        var renamed: [Place: String] = [:]
        while true {
            switch Document.parse(scalars, file) {
            case .tree(let node, let parser):
                let builder = Builder(file: file, renamed: renamed)
                // Nodes refer weakly to their anchors, which the parser holds.
                root = withExtendedLifetime(parser) { builder.value(node) }
                problems = builder.problems
                return
            case .nothing:
                let problem = Problem(.file(.start(of: file)), "the file has only comments")
                throw ConfigurationRefused([problem])
            case .duplicate(let key, let place):
                // A letter for private use, which nobody else uses.
                let letter = Unicode.Scalar(0xE000 + UInt32(renamed.count)) ?? "\u{E000}"
                guard renamed.count < 16, renamed[place] == nil,
                    Document.rename(key, at: place, in: &scalars, to: letter)
                else {
                    throw ConfigurationRefused([Problem(.file(place), "'\(key)' is there twice")])
                }
                renamed[place] = key
            case .failure(let message, let place):
                throw ConfigurationRefused([Problem(.file(place), message)])
            }
        }
    }

    // ---- the parser ----

    private enum Outcome {
        case tree(Node, Yams.Parser)
        case nothing
        /// A key that is there twice, and where it is first.
        case duplicate(String, Place)
        case failure(String, Place)
    }

    private static func parse(_ scalars: [Unicode.Scalar], _ file: String) -> Outcome {
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars)
        do {
            // Without rules every word is a text, and nobody asks a regular expression what else it
            // might be. With no encoding named the parser would let a variable of its own decide.
            let parser = try Yams.Parser(
                yaml: text,
                resolver: .basic,
                constructor: .default,
                encoding: .utf8
            )
            return try parser.singleRoot().map { .tree($0, parser) } ?? .nothing
        } catch let error as YamlError {
            return outcome(error, file)
        } catch {
            return .failure("\(error)", .start(of: file))
        }
    }

    private static func outcome(_ error: YamlError, _ file: String) -> Outcome {
        switch error {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = Place(mark, file)
            if problem.contains("nesting level") { return .failure("nested too deeply", place) }
            let words = context.map { "\($0.text), \(problem)" } ?? problem
            return .failure("not YAML: \(words)", place)
        case .duplicatedKeysInMapping(let duplicates, let context):
            return .duplicate(duplicates.first ?? "", Place(context.mark, file))
        case .reader(let problem, _, _, _):
            return .failure("not YAML: \(problem)", .start(of: file))
        default:
            return .failure("not YAML: \(error)", .start(of: file))
        }
    }

    // ---- keys that are there twice ----

    /// Gives a key another first letter, so that nothing changes its place.
    private static func rename(
        _ key: String,
        at place: Place,
        in scalars: inout [Unicode.Scalar],
        to letter: Unicode.Scalar
    ) -> Bool {
        guard var index = index(of: place, in: scalars) else { return false }
        if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
        guard index < scalars.count, key.unicodeScalars.first == scalars[index] else {
            return false
        }
        scalars[index] = letter
        return true
    }

    private static func index(of place: Place, in scalars: [Unicode.Scalar]) -> Int? {
        var line = 1
        var start = 0
        while line < place.line {
            guard let end = scalars[start...].firstIndex(where: \.isLineBreak) else { return nil }
            let isPair = scalars[end] == "\r" && end + 1 < scalars.count && scalars[end + 1] == "\n"
            start = end + (isPair ? 2 : 1)
            line += 1
        }
        let index = start + place.column - 1
        return index < scalars.count ? index : nil
    }
}

extension Place {
    init(_ mark: Mark?, _ file: String) {
        self.init(file: file, line: max(1, mark?.line ?? 1), column: max(1, mark?.column ?? 1))
    }

    static func start(of file: String) -> Place { Place(file: file, line: 1, column: 1) }
}

extension Unicode.Scalar {
    /// What ends a line in YAML 1.1.
    fileprivate var isLineBreak: Bool {
        ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains(self)
    }
}

/// What looks like `*name`, outside of a word and not at the beginning of a text in quotes.
private enum Aliases {
    static let refusal = "anchors and aliases are not read; put what is common under 'defaults'"
    private static let countMax = 8

    /// Where there are too many of them; nil where there are not.
    static func tooMany(_ text: String, file: String) -> Place? {
        var (line, column, count) = (1, 1, 0)
        var before: Unicode.Scalar = "\n"
        for scalar in text.unicodeScalars {
            // Before an alias is a blank or a sign. In quotes there may be anything.
            if scalar == "*", !before.properties.isAlphabetic, before != "\"", before != "'" {
                count += 1
                if count > countMax { return Place(file: file, line: line, column: column) }
            }
            (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
            before = scalar
        }
        return nil
    }
}

/// Makes values of the parser's nodes.
private final class Builder {
    private let file: String
    private let renamed: [Place: String]
    private(set) var problems: [Problem] = []

    init(file: String, renamed: [Place: String]) {
        self.file = file
        self.renamed = renamed
    }

    func value(_ node: Node) -> Value {
        let place = place(node)
        guard node.anchor == nil else {
            // What it stands for may be large, and is the same as where it was named.
            report(place, Aliases.refusal)
            return Value(content: .unread, place: place)
        }
        if let tag = node.ownTag { report(place, "tags such as '\(tag)' are not read") }
        switch node {
        case .scalar(let scalar):
            let isWord = scalar.style == .plain
            let isNothing = isWord && ["", "~", "null"].contains(scalar.string)
            return Value(content: isNothing ? .nothing : .scalar(scalar.string), place: place)
        case .sequence(let sequence):
            return Value(content: .list(sequence.map(value)), place: place)
        case .mapping(let mapping):
            return Value(content: .mapping(entries(mapping)), place: place)
        case .alias:
            // The parser puts in what it stands for.
            return Value(content: .unread, place: place)
        }
    }

    private func entries(_ mapping: Node.Mapping) -> [Entry] {
        var entries: [Entry] = []
        var firstPlaces: [String: Place] = [:]
        for (key, node) in mapping {
            let place = place(key)
            guard case .scalar(let scalar) = key, key.anchor == nil else {
                report(place, "a key has to be a word")
                continue
            }
            let name = renamed[place] ?? scalar.string
            let value = value(node)
            if let first = firstPlaces[name] {
                report(place, "'\(name)' is there twice; the first is in line \(first.line)")
            } else {
                firstPlaces[name] = place
                entries.append(Entry(key: name, place: place, value: value))
            }
        }
        return entries
    }

    private func place(_ node: Node) -> Place { Place(node.mark, file) }

    private func report(_ place: Place, _ message: String) {
        let problem = Problem(.file(place), message)
        if !problems.contains(problem) { problems.append(problem) }
    }
}

extension Node {
    /// A tag that is none of YAML's own; nil where there is none.
    fileprivate var ownTag: String? {
        let name = tag.rawValue
        let isUsual = name.isEmpty || name == "!" || name.hasPrefix("tag:yaml.org,2002:")
        return isUsual ? nil : name
    }
}
