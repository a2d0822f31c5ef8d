// HTMLPage: one file that says everything. It asks for nothing from elsewhere and runs nothing, and
// forbids itself both, so that it can be kept, mailed, and opened in ten years.

/// A page that is being made, part by part.
struct HTMLPage {
    /// A figure that is read first.
    struct Headline {
        enum Mood: String { case plain, good, bad }

        var name: String
        var value: String
        var note: String
        var mood = Mood.plain
    }

    private let title: String
    private let version: String
    private var parts: [String] = []

    /// A page with its heading.
    ///
    /// - Parameters:
    ///   - kind: what the page is of: `ringload rr`.
    ///   - lines: what is to be known before the figures.
    init(kind: String, title: String, lines: [String], version: String) {
        self.title = "\(kind) \(title)"
        self.version = version
        let paragraphs = lines.map { Markup.element("p", text: $0) }
        parts.append(
            Markup.element(
                "header",
                Markup.element("p", "class=\"kind\"", text: kind)
                    + Markup.element("h1", text: title) + paragraphs.joined()
            )
        )
    }

    /// Adds markup of which every text is escaped.
    mutating func add(_ markup: String) {
        if !markup.isEmpty { parts.append(markup) }
    }

    /// Begins a section.
    mutating func heading(_ text: String) { add(Markup.element("h2", text: text)) }

    /// Adds a sentence.
    mutating func paragraph(_ text: String) { add(Markup.element("p", text: text)) }

    /// Adds a plot.
    mutating func add(_ plot: Plot) { add(plot.markup) }

    /// Adds parts that stand beside each other where the page is wide enough.
    mutating func beside(_ markups: [String], areNarrow: Bool = false) {
        let kept = markups.filter { !$0.isEmpty }
        guard !kept.isEmpty else { return }
        let name = areNarrow ? "pair narrow" : "pair"
        add(Markup.element("div", "class=\"\(name)\"", "\n" + kept.joined(separator: "\n") + "\n"))
    }

    /// Adds a verdict, its first words in bold, and what is to be known besides.
    mutating func verdict(_ bold: String, _ rest: String, isGood: Bool, notes: [String] = []) {
        let first = Markup.element("strong", text: (isGood ? "\u{2713} " : "\u{2717} ") + bold)
        var markup = Markup.element("p", first + (rest.isEmpty ? "" : " " + Markup.escaped(rest)))
        if !notes.isEmpty {
            markup += Markup.element("ul", notes.map { Markup.element("li", text: $0) }.joined())
        }
        add(Markup.element("div", "class=\"verdict\(isGood ? "" : " bad")\"", markup))
    }

    /// Adds the figures that are read first.
    mutating func headlines(_ headlines: [Headline]) {
        let items = headlines.map { headline in
            let mood = headline.mood == .plain ? "" : " \(headline.mood.rawValue)"
            let value = Markup.element("span", "class=\"value\(mood)\"", text: headline.value)
            return Markup.element(
                "div",
                Markup.element("dt", text: headline.name)
                    + Markup.element("dd", value + Markup.element("small", text: headline.note))
            )
        }
        add(Markup.element("dl", "class=\"headline\"", items.joined(separator: "\n")))
    }

    /// Adds a command to repeat what the page shows; a click selects all of it.
    mutating func command(_ words: [String]) {
        add(Markup.element("pre", Markup.element("code", text: RunWords.shellCommand(words))))
    }

    /// The whole file.
    var text: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
        style-src 'unsafe-inline'; img-src data:">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="referrer" content="no-referrer">
        <title>\(Markup.escaped(title))</title>
        <link rel="icon" href="data:,">
        <style>
        \(Stylesheet.text)
        </style>
        </head>
        <body>
        <main>
        \(parts.joined(separator: "\n"))
        </main>
        <footer>Made by ringload \(Markup.escaped(version)). This page loads nothing, runs nothing.\
        </footer>
        </body>
        </html>

        """
    }
}
