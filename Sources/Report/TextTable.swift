// TextTable: columns under each other on a terminal, as narrow as their widest cell.

/// Rows of cells. The first column is aligned left, the others right.
struct TextTable {
    /// The columns that are aligned left; words read badly when they are not.
    var leftColumns: Set<Int> = [0]
    /// Columns are at least this wide, so that the tables of a report stand under each other.
    var firstColumnWidth = 0
    private var rows: [[String]] = []

    init(firstColumnWidth: Int = 0, leftColumns: Set<Int> = [0]) {
        self.firstColumnWidth = firstColumnWidth
        self.leftColumns = leftColumns
    }

    /// Adds a row.
    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The lines, without spaces at their ends.
    var lines: [String] {
        var widths: [Int] = [firstColumnWidth]
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return leftColumns.contains(column) ? cell + space : space + cell
            }
            return cells.joined(separator: "  ").trimmingSpaces
        }
    }
}

extension String {
    /// Without spaces at the end.
    var trimmingSpaces: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    /// With a question mark in place of each control character: a terminal would obey it.
    var printable: String {
        guard unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            return self
        }
        return String(
            String.UnicodeScalarView(
                unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }
            )
        )
    }

    /// Lines of at most so many columns, broken at spaces. Words that are longer stay whole.
    func wrapped(columns: Int) -> [String] {
        var lines: [String] = []
        for word in split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= columns {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
