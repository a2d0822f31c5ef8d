// Plot: curves as SVG, drawn here so that the page needs no script. The drawing is stretched to the
// page's width while its strokes keep theirs; the labels are the page's own text beside it, placed
// in percent. So letters have one size on a telephone and on a wide screen, which letters in a
// scaled drawing would not have.

/// A curve, or points.
struct Series {
    /// How it is drawn.
    enum Style {
        case line
        /// A line with the room below it tinted.
        case area
        case dots
    }

    struct Point {
        var x: Double
        /// nil interrupts the line.
        var y: Double?
    }

    /// A point of which the reader is told more when they point at it.
    struct Stop {
        var x: Double
        var y: Double
        var words: String
    }

    var name: String
    /// The number of its colour and its dashes.
    var look: Int
    var style = Style.line
    var points: [Point]
    var stops: [Stop] = []
}

/// Something on a plot that is no measurement: a limit, an answer.
struct Mark {
    enum Place {
        case horizontal(Double)
        case vertical(Double)
        case point(x: Double, y: Double)
    }

    var place: Place
    var label: String
    /// The look of the measurement that it belongs to, or nil for one of its own.
    var look: Int?
}

/// A figure of a page.
struct Plot {
    /// Different from those of all other plots of the page.
    var id: String
    var title: String
    /// What is to be seen, for those who do not see it.
    var description: String
    var x: Axis
    var y: Axis
    var series: [Series]
    var marks: [Mark] = []

    /// The drawing's own measures; the page stretches them.
    private static let width = 1000.0
    private static let height = 400.0

    /// The figure.
    var markup: String {
        let caption = Markup.element(
            "figcaption",
            Markup.element("strong", text: title) + legend
        )
        let frame = Markup.element(
            "div",
            "class=\"frame\"",
            labels("y", y) { "top:\(Self.percent(1 - $0))" }
                + Markup.element("div", "class=\"area\"", drawing + marks.map(label).joined())
                + labels("x", x) { "left:\(Self.percent($0))" }
        )
        let titles =
            Markup.element("span", text: "\u{2191} \(y.title)")
            + Markup.element("span", text: "\(x.title) \u{2192}")
        return Markup.element(
            "figure",
            "class=\"plot\" id=\"\(id)\"",
            "\n\(caption)\n"
                + Markup.element("div", "class=\"titles\" aria-hidden=\"true\"", titles)
                + "\n\(frame)\n"
        )
    }

    private var legend: String {
        let named = series.filter { !$0.name.isEmpty }
        guard !named.isEmpty else { return "" }
        let items = named.map { series in
            let kinds: [Series.Style: String] = [
                .line: "stroke", .area: "stroke solid", .dots: "dot",
            ]
            let kind = kinds[series.style] ?? ""
            let key = Markup.element("i", "class=\"\(kind) s\(series.look)\"", "")
            return Markup.element("li", key + Markup.escaped(series.name))
        }
        return Markup.element("ul", "class=\"legend\"", items.joined())
    }

    private func labels(_ kind: String, _ axis: Axis, _ style: (Double) -> String) -> String {
        let spans = axis.ticks.map { tick in
            let optional = tick.isOptional ? " class=\"optional\"" : ""
            let place = "style=\"\(style(axis.position(tick.value)))\"\(optional)"
            return Markup.element("span", place, text: tick.label)
        }
        return Markup.element("div", "class=\"\(kind)\" aria-hidden=\"true\"", spans.joined())
    }

    // ---- the drawing ----

    private var drawing: String {
        let size = "0 0 \(Markup.coordinate(Self.width)) \(Markup.coordinate(Self.height))"
        let attributes =
            "viewBox=\"\(size)\" preserveAspectRatio=\"none\" role=\"img\" "
            + "aria-labelledby=\"\(id)-title \(id)-description\""
        let words =
            Markup.element("title", "id=\"\(id)-title\"", text: title)
            + Markup.element("desc", "id=\"\(id)-description\"", text: description)
        let parts = [words, grid] + marks.map(line) + series.map(drawn) + marks.map(dot)
        return Markup.element(
            "svg",
            attributes,
            parts.filter { !$0.isEmpty }.joined(separator: "\n")
        )
    }

    private var grid: String {
        let rows = y.ticks.map { "M0 \(top($0.value))H\(Markup.coordinate(Self.width))" }
        let columns = x.ticks.map { "M\(left($0.value)) 0V\(Markup.coordinate(Self.height))" }
        return "<path class=\"grid\" d=\"\((rows + columns).joined())\"/>"
    }

    private func drawn(_ series: Series) -> String {
        let look = "s\(series.look)"
        let stops = series.stops.map { stop in
            "<path class=\"dots \(look)\" d=\"M\(left(stop.x)) \(top(stop.y))h0\">"
                + Markup.element("title", text: stop.words) + "</path>"
        }
        var paths: [String] = []
        switch series.style {
        case .dots:
            let points = series.points.compactMap { point in
                point.y.map { "M\(left(point.x)) \(top($0))h0" }
            }
            if !points.isEmpty {
                paths.append("<path class=\"dots \(look)\" d=\"\(points.joined())\"/>")
            }
        case .line, .area:
            let segments = self.segments(of: series)
            if series.style == .area {
                let bottom = Markup.coordinate(Self.height)
                let areas = segments.map { segment in
                    let edge = segment.map { "\($0.x) \($0.y)" }.joined(separator: "L")
                    return "M\(segment[0].x) \(bottom)L\(edge)V\(bottom)Z"
                }
                paths.append("<path class=\"tint \(look)\" d=\"\(areas.joined())\"/>")
            }
            let lines = segments.map { segment in
                "M" + segment.map { "\($0.x) \($0.y)" }.joined(separator: "L")
            }
            if !lines.isEmpty {
                let solid = series.style == .area ? " solid" : ""
                paths.append("<path class=\"line \(look)\(solid)\" d=\"\(lines.joined())\"/>")
            }
        }
        return (paths + stops).joined(separator: "\n")
    }

    /// The parts of a line between its interruptions, in the drawing's coordinates.
    private func segments(of series: Series) -> [[(x: String, y: String)]] {
        series.points.split { $0.y == nil }.map { points in
            points.map { (left($0.x), top($0.y ?? 0)) }
        }
    }

    private func line(_ mark: Mark) -> String {
        let look = mark.look.map { "s\($0)" } ?? "own"
        switch mark.place {
        case .horizontal(let value):
            return "<path class=\"mark \(look)\" d=\"M0 \(top(value))"
                + "H\(Markup.coordinate(Self.width))\"/>"
        case .vertical(let value):
            return "<path class=\"mark \(look)\" d=\"M\(left(value)) 0"
                + "V\(Markup.coordinate(Self.height))\"/>"
        case .point: return ""
        }
    }

    private func dot(_ mark: Mark) -> String {
        guard case .point(let x, let y) = mark.place else { return "" }
        let look = mark.look.map { "s\($0)" } ?? "own"
        return "<path class=\"ring \(look)\" d=\"M\(left(x)) \(top(y))h0\"/>"
    }

    /// The words of a mark, on the side of it where there is room.
    private func label(_ mark: Mark) -> String {
        guard !mark.label.isEmpty else { return "" }
        let (across, down): (Double, Double)
        switch mark.place {
        case .horizontal(let value): (across, down) = (0, 1 - y.position(value))
        case .vertical(let value): (across, down) = (x.position(value), 0)
        case .point(let first, let second):
            (across, down) = (x.position(first), 1 - y.position(second))
        }
        let sides = (across > 0.5 ? " before" : "") + (down < 0.15 ? " below" : "")
        let style = "left:\(Self.percent(across));top:\(Self.percent(down))"
        return Markup.element(
            "span",
            "class=\"label\(sides)\" style=\"\(style)\"",
            text: mark.label
        )
    }

    private func left(_ value: Double) -> String {
        Markup.coordinate(x.position(value) * Self.width)
    }

    private func top(_ value: Double) -> String {
        Markup.coordinate((1 - y.position(value)) * Self.height)
    }

    private static func percent(_ share: Double) -> String {
        Markup.coordinate(share * 100) + "%"
    }
}
