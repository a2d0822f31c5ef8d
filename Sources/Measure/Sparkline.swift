// Sparkline: a row of values as one line of blocks, so that a terminal shows how a run went.

/// Values as a line of text.
public enum Sparkline {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    /// For terminals without UTF-8; as many, from low to high.
    private static let letters: [Character] = ["_", ".", "-", "~", "=", "+", "*", "#"]

    /// A line of one character for each value, or for the mean of several neighbours where there
    /// are more values than columns. The least is the lowest block and the greatest the highest;
    /// values that are all the same are low. What is not finite is a blank.
    ///
    /// - Parameters:
    ///   - values: in order.
    ///   - width: how many columns there are at most.
    ///   - isPlain: whether to keep to ASCII.
    public static func text(_ values: [Double], width: Int, isPlain: Bool = false) -> String {
        let columns = means(values, count: max(0, min(width, values.count)))
        let finite = columns.filter(\.isFinite)
        guard let least = finite.min(), let greatest = finite.max() else {
            return String(repeating: " ", count: columns.count)
        }
        let levels = isPlain ? letters : blocks
        return String(
            columns.map { value -> Character in
                guard value.isFinite else { return " " }
                // Halves, for the distance of the two largest numbers is no number.
                let range = greatest / 2 - least / 2
                guard range > 0 else { return levels[0] }
                let share = (value / 2 - least / 2) / range
                return levels[min(levels.count - 1, Int(share * Double(levels.count)))]
            }
        )
    }

    /// Neighbours put together so that each column has as many as any other, give or take one.
    private static func means(_ values: [Double], count: Int) -> [Double] {
        (0..<count).map { column in
            let part = values[
                (column * values.count / count)..<((column + 1) * values.count / count)
            ]
            return part.reduce(0) { $0 + $1 / Double(part.count) }
        }
    }
}
