// Markup: text and elements of a page. Whatever comes from outside of this room (names of servers,
// commands, notes) goes through `escaped`, in one place, so that a report cannot run anything.

/// Pieces of HTML.
enum Markup {
    /// A text as content, or as the value of a quoted attribute. Control characters are shown as
    /// what cannot be shown.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\n", "\t": escaped.unicodeScalars.append(scalar)
            case _ where scalar.properties.generalCategory == .control: escaped += "\u{fffd}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// An element with a text in it.
    static func element(_ name: String, _ attributes: String = "", text: String) -> String {
        element(name, attributes, escaped(text))
    }

    /// An element with markup in it.
    static func element(_ name: String, _ markup: String) -> String {
        "<\(name)>\(markup)</\(name)>"
    }

    /// An element with attributes, and with markup in it.
    static func element(_ name: String, _ attributes: String, _ markup: String) -> String {
        "<\(name)\(attributes.isEmpty ? "" : " " + attributes)>\(markup)</\(name)>"
    }

    /// A table that scrolls by itself where the page is too narrow for it. The first cell of a row
    /// is its heading.
    ///
    /// - Parameter badWords: cells that say what should not be.
    static func table(
        caption: String,
        head: [String],
        rows: [[String]],
        badWords: Set<String> = []
    ) -> String {
        let headings = head.map { element("th", "scope=\"col\"", text: $0) }.joined()
        let body = rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == 0
                    ? element("th", "scope=\"row\"", text: cell)
                    : element("td", badWords.contains(cell) ? "class=\"bad\"" : "", text: cell)
            }
            return element("tr", cells.joined())
        }
        return scrolling(
            caption,
            element("caption", text: caption) + element("thead", element("tr", headings))
                + element("tbody", body.joined(separator: "\n"))
        )
    }

    /// A table of names and what is said of them.
    static func facts(caption: String, _ facts: [(name: String, value: String)]) -> String {
        guard !facts.isEmpty else { return "" }
        let rows = facts.map { name, value in
            element("tr", element("th", "scope=\"row\"", text: name) + element("td", text: value))
        }
        return element(
            "table",
            "class=\"facts\"",
            element("caption", text: caption) + element("tbody", rows.joined(separator: "\n"))
        )
    }

    /// A table in a box that scrolls, and that the keyboard reaches so that it can.
    static func scrolling(_ name: String, _ table: String) -> String {
        element(
            "div",
            "class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"\(escaped(name))\"",
            element("table", table)
        )
    }

    /// A number for a path or a style: one digit behind the point is a tenth of a pixel or less.
    static func coordinate(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        let sign = tenths < 0 ? "-" : ""
        let digit = abs(tenths) % 10
        return "\(sign)\(abs(tenths) / 10)" + (digit == 0 ? "" : ".\(digit)")
    }
}
