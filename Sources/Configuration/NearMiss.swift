// NearMiss: which of the names that there are was probably meant by one that there is not.

enum NearMiss {
    /// The name that was probably meant; nil where none is near.
    static func of(_ text: String, among names: some Sequence<String>) -> String? {
        let written = spelling(text)
        // A long name is no longer worth comparing with, and would cost the square of its length.
        guard !written.isEmpty, written.count <= 64 else { return nil }
        let limit = max(1, written.count / 4)
        let near = names.map { (name: $0, distance: distance(written, spelling($0))) }
            .filter { $0.distance <= limit }
        return near.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }

    /// What is told of a name that does not exist.
    static func hint(_ text: String, among names: some Sequence<String>) -> String {
        of(text, among: names).map { "; did you mean '\($0)'?" } ?? ""
    }

    /// A name without the differences between `idleTimeout`, `idle_timeout` and `--idle-timeout`.
    private static func spelling(_ name: String) -> [UInt8] {
        name.utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }
            .map { (65...90).contains($0) ? $0 + 32 : $0 }
    }

    /// How many letters have to be changed, put in, left out or exchanged with their neighbour.
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var rows = [Array(0...other.count)]
        for (row, letter) in one.enumerated() {
            var next = [row + 1]
            for (column, wanted) in other.enumerated() {
                var best = min(
                    rows[row][column] + (letter == wanted ? 0 : 1),
                    rows[row][column + 1] + 1,
                    next[column] + 1
                )
                let isSwapped =
                    row > 0 && column > 0 && letter == other[column - 1]
                    && one[row - 1] == wanted
                if isSwapped { best = min(best, rows[row - 1][column - 1] + 1) }
                next.append(best)
            }
            rows.append(next)
        }
        return rows[one.count][other.count]
    }
}
