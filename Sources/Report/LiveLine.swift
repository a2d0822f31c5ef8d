// LiveLine: one line on the terminal that says how a run is doing, written over itself each second.
// It goes to stderr, so that stdout has the report and nothing else; and it is quiet where stderr
// is no terminal, so that a log has no thousand of them.

import Glibc

/// What the line says.
public struct LiveMoment: Equatable, Sendable {
    /// Since the window began.
    public var elapsedNanoseconds: UInt64
    /// Of the last interval.
    public var messagesPerSecond: Double
    /// Of the last interval, in nanoseconds; nil where nothing was answered.
    public var p50: UInt64?
    public var p99: UInt64?
    /// Since the run began.
    public var errors: UInt64
    /// The rate so far as characters of which each is one column, oldest first.
    public var sparkline: String

    /// A moment of a run.
    public init(
        elapsedNanoseconds: UInt64,
        messagesPerSecond: Double,
        p50: UInt64?,
        p99: UInt64?,
        errors: UInt64,
        sparkline: String = ""
    ) {
        self.elapsedNanoseconds = elapsedNanoseconds
        self.messagesPerSecond = messagesPerSecond
        self.p50 = p50
        self.p99 = p99
        self.errors = errors
        self.sparkline = sparkline
    }
}

/// The line, and the terminal that it is on.
public struct LiveLine {
    private let descriptor: Int32
    private let isOn: Bool
    private let hasColour: Bool
    private var isShown = false

    /// The line on stderr.
    public init() {
        self.init(descriptor: STDERR_FILENO) { name in getenv(name).map { String(cString: $0) } }
    }

    /// The line on a terminal; where the descriptor is none, or one that cannot go back in a line,
    /// nothing is ever written.
    ///
    /// - Parameter environment: looks up a variable of the environment.
    public init(descriptor: Int32, environment: (String) -> String?) {
        self.descriptor = descriptor
        isOn = isatty(descriptor) == 1 && environment("TERM") != "dumb"
        // no-color.org: any value but an empty one.
        hasColour = (environment("NO_COLOR") ?? "").isEmpty
    }

    /// Shows a moment in place of the last one.
    public mutating func show(_ moment: LiveMoment) {
        guard isOn else { return }
        let text = LiveLine.text(moment, columns: columns, hasColour: hasColour)
        // Erased behind the text, not before it: a line that is empty for a moment flickers.
        write("\r\(text)\u{1b}[K")
        isShown = true
    }

    /// Takes the line away. To be called before anything else is written.
    public mutating func end() {
        guard isShown else { return }
        write("\r\u{1b}[K")
        isShown = false
    }

    /// The line for a terminal that is so wide. The last column stays free: some terminals go to
    /// the next line when it is written. What has no room is left out from the right, and from the
    /// sparkline the oldest.
    public static func text(_ moment: LiveMoment, columns: Int, hasColour: Bool) -> String {
        var room = max(columns - 1, 0)
        var text = ""
        for (words, colour) in figures(moment) {
            let shown = words.prefix(room)
            room -= shown.count
            text += painted(String(shown), hasColour ? colour : nil)
        }
        guard room > 2 else { return text }
        let newest = String(moment.sparkline.suffix(room - 2))
        return text + "  " + painted(newest, hasColour ? cyan : nil)
    }

    private static let bold = "1"
    private static let dim = "2"
    private static let red = "1;31"
    private static let cyan = "36"

    /// The words of the line with the colours that they have. Figures take as much room whatever
    /// they are, so that the line stands still.
    private static func figures(_ moment: LiveMoment) -> [(words: String, colour: String?)] {
        func duration(_ nanoseconds: UInt64?) -> String {
            right(nanoseconds.map { Figures.duration($0) } ?? "-", 7)
        }
        let errors = moment.errors
        return [
            (right(elapsed(moment.elapsedNanoseconds / 1_000_000_000), 5), nil),
            ("  " + right(Figures.rate(moment.messagesPerSecond), 8), bold),
            ("  p50 ", dim), (duration(moment.p50), nil),
            ("  p99 ", dim), (duration(moment.p99), nil),
            ("  errors ", errors == 0 ? dim : red),
            (Figures.count(errors), errors == 0 ? nil : red),
        ]
    }

    private static func elapsed(_ seconds: UInt64) -> String {
        func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        if hours > 0 { return "\(hours):\(two(minutes)):\(two(seconds % 60))" }
        return minutes > 0 ? "\(minutes):\(two(seconds % 60))" : "\(seconds) s"
    }

    private static func right(_ text: String, _ columns: Int) -> String {
        String(repeating: " ", count: max(columns - text.count, 0)) + text
    }

    private static func painted(_ text: String, _ colour: String?) -> String {
        guard let colour, !text.isEmpty else { return text }
        return "\u{1b}[\(colour)m\(text)\u{1b}[0m"
    }

    /// The terminal's width, which may have changed since the last line.
    private var columns: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private func write(_ text: String) {
        var text = text
        // A terminal that takes nothing costs the run its line, and nothing else.
        text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
