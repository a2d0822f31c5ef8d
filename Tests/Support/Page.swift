// Page: a page of the documentation, as far as a test reads it: its blocks of code, the names in
// its sentences, its links, and where links into it may lead.

import Foundation

/// A page of Markdown.
public struct Page {
    public let path: String
    public let text: String

    /// Reads a page.
    ///
    /// - Parameter path: where it is, from the project's root.
    public init(_ path: String) throws {
        self.path = path
        text = try String(contentsOfFile: Place.root + "/" + path, encoding: .utf8)
    }

    /// A block of code.
    public struct Block {
        /// What stands behind the fence; nil where the block is indented instead.
        public let language: String?
        /// The line of its first line, from 1.
        public let line: Int
        public let lines: [String]

        /// Its commands, without the comments behind them; a line that ends in a backslash goes on.
        public var commands: [String] {
            lines.joined(separator: "\n").replacing(/\\\n +/, with: "").split(separator: "\n")
                .map { String($0.replacing(/(?:^|\s+)#\s.*$/, with: "")) }.filter { !$0.isEmpty }
        }
    }

    /// All blocks, in their order.
    public var blocks: [Block] {
        var blocks: [Block] = []
        var lines: [String] = []
        var fence: String?
        var start = 0
        func end() {
            while lines.last == "" { lines.removeLast() }
            if !lines.isEmpty {
                blocks.append(Block(language: fence, line: start, lines: lines))
            }
            lines = []
        }
        var last = ""
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
            defer { last = line }
            let isFence = line.hasPrefix("```")
            if isFence || fence != nil {
                if isFence { end() } else { lines.append(line) }
                if isFence {
                    (fence, start) = (fence == nil ? String(line.dropFirst(3)) : nil, number + 2)
                }
            } else if line.hasPrefix("    "), !lines.isEmpty || last.isEmpty {
                if lines.isEmpty { start = number + 1 }
                lines.append(String(line.dropFirst(4)))
            } else if !lines.isEmpty {
                if line.isEmpty { lines.append("") } else { end() }
            }
        }
        end()
        return blocks
    }

    /// What stands in backticks in its sentences and tables.
    public var spans: [String] {
        prose.matches(of: /`([^`]+)`/).map { String($0.output.1).replacing("\n", with: " ") }
    }

    /// Where its links lead: `path`, `path#anchor` or `#anchor`; those to the web are left out.
    public var links: [String] {
        prose.matches(of: /\]\(([^)\s]+)\)/).map { String($0.output.1) }
            .filter { !$0.contains("://") }
    }

    /// Where links into it may lead: its titles, as GitHub makes anchors of them.
    public var anchors: Set<String> {
        Set(
            prose.matches(of: /(?m)^#+ (.*)$/).map { title in
                title.output.1.lowercased()
                    .filter { $0.isLetter || $0.isNumber || " _-".contains($0) }
                    .replacing(" ", with: "-")
            }
        )
    }

    /// Rows of its tables: what is in their cells.
    public var rows: [[String]] {
        text.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { row in
            row.replacing("\\|", with: "\u{0}").split(
                separator: "|",
                omittingEmptySubsequences: false
            )
            .dropFirst().dropLast()
            .map { $0.trimmingCharacters(in: .whitespaces).replacing("\u{0}", with: "|") }
        }
    }

    /// The text without its fenced blocks.
    private var prose: String { text.replacing(/(?ms)^```.*?^```$/, with: "") }

    /// The pages for users, those that commands are typed from.
    public static let guides = [
        "README.md", "CONTRIBUTING.md", "Tuning.md", "Benchmarks/README.md", "docs/Architecture.md",
        "docs/Configuration.md", "docs/Deploy.md", "docs/Relay.md", "docs/TCP.md",
        "docs/conform.md",
        "docs/ringload.md",
    ]
}
