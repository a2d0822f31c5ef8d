// Browser: a page as Chromium shows it, without a window. The page is put into a frame of a given
// width, and a script outside of the frame measures what is in it; so the page itself is tested as
// it is, with all that it forbids.

import Foundation
import Support
import Testing

/// What was measured in a page.
struct Rendered: Decodable {
    struct Drawing: Decodable {
        let title: String
        let description: String
        /// Curves, and points by themselves.
        let lines: Int
        let dots: Int
        /// Whether all that is drawn lies in the drawing.
        let isInside: Bool
        let width: Double
        let legend: [String]
        let xLabels: [String]
        let yLabels: [String]
        let marks: [String]
    }

    let width: Double
    let contentWidth: Double
    /// Elements that reach out of the page and are not in a box that scrolls.
    let overflowing: [String]
    /// Labels of axes that touch each other.
    let colliding: [String]
    let drawings: [Drawing]
    let headings: [String]
    let tables: [String]
    let text: String
    /// Elements that are less readable than WCAG 2 asks for (4.5 to 1).
    let faint: [String]
    let background: String
}

/// How a page is looked at.
struct Look: Equatable {
    /// In pixels of the page.
    var width: Int
    var isDark = false

    /// A telephone and a desk, light and dark.
    static let all = [360, 1200].flatMap { [Look(width: $0), Look(width: $0, isDark: true)] }
}

enum Browser {
    /// Shows a page in several ways at once, and measures it in each.
    static func measure(_ page: String, _ looks: [Look]) throws -> [Rendered] {
        let ended = try run(page, looks, height: 4000, ["--dump-dom"])
        let parts = ended.output.components(separatedBy: "<pre id=\"measured\" hidden=\"\">")
        try #require(parts.count == 2)
        let escaped = parts[1].components(separatedBy: "</pre>")[0]
        let json = escaped.replacing("&lt;", with: "<").replacing("&gt;", with: ">")
            .replacing("&amp;", with: "&")
        return try JSONDecoder().decode([Rendered].self, from: Data(json.utf8))
    }

    /// Shows a page in one way, and measures it.
    static func measure(_ page: String, width: Int) throws -> Rendered {
        try measure(page, [Look(width: width)])[0]
    }

    /// Writes a picture of a page.
    static func picture(_ page: String, to path: String, _ look: Look, height: Int) throws {
        let options = ["--screenshot=\(path)", "--hide-scrollbars"]
        _ = try run(page, [look], height: height, options)
    }

    private static func run(
        _ page: String,
        _ looks: [Look],
        height: Int,
        _ options: [String]
    ) throws -> Ended {
        let file = TemporaryFile()
        let path = file.path + ".html"
        let profile = file.path + "-profile"
        defer {
            try? FileManager.default.removeItem(atPath: path)
            try? FileManager.default.removeItem(atPath: profile)
        }
        try outside(of: page, looks, height: height)
            .write(toFile: path, atomically: false, encoding: .utf8)
        // A window of its own is never narrower than 500 pixels; a frame in it is.
        let width = max(looks.map(\.width).max() ?? 0, 600)
        let program = try Program(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=\(profile)",
                "--enable-logging=stderr", "--window-size=\(width),\(height)",
            ] + options + ["file://" + path]
        )
        let ended = try program.wait(seconds: 120)
        try #require(ended.status == 0, "\(ended.errors)")
        #expect(ended.errorLines.filter { $0.contains("CONSOLE") } == [])
        return ended
    }

    /// A page with frames, in each of which is the page that is tested.
    private static func outside(of page: String, _ looks: [Look], height: Int) -> String {
        let source = page.replacing("&", with: "&amp;").replacing("\"", with: "&quot;")
        let frames = looks.map { look in
            "<iframe width=\"\(look.width)\" height=\"\(height)\" style=\"color-scheme:"
                + "\(look.isDark ? "dark" : "light")\" srcdoc=\"\(source)\"></iframe>"
        }
        return """
            <!DOCTYPE html><html><head><meta charset="utf-8"><style>body{margin:0}
            iframe{border:0;display:block}</style></head><body>
            \(frames.joined())
            <pre id="measured" hidden></pre>
            <script>
            window.addEventListener("load", () => {
                const frames = Array.from(document.querySelectorAll("iframe"))
                const measured = document.getElementById("measured")
                measured.textContent = JSON.stringify(frames.map(measure))
            })
            \(script)
            </script></body></html>
            """
    }

    private static let script = """
        function measure(frame) {
            const page = frame.contentDocument
            const view = frame.contentWindow
            const root = page.documentElement
            const all = (from, what) => Array.from(from.querySelectorAll(what))
            const box = (element) => element.getBoundingClientRect()
            const seen = (element) => box(element).width > 0
            const name = (element) => element.tagName + "." + element.getAttribute("class") + " "
                + element.textContent.slice(0, 40)
            const colliding = []
            for (const axis of all(page, ".x, .y")) {
                const labels = all(axis, "span").filter(seen)
                labels.forEach((one, index) => labels.slice(index + 1).forEach((other) => {
                    const [a, b] = [box(one), box(other)]
                    if (a.left < b.right && b.left < a.right
                        && a.top < b.bottom - 1 && b.top < a.bottom - 1)
                        colliding.push(one.textContent + " | " + other.textContent)
                }))
            }
            const channel = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
            const luminance = (text) => {
                const [r, g, b] = text.match(/[0-9.]+/g).map((v) => channel(v / 255))
                return 0.2126 * r + 0.7152 * g + 0.0722 * b
            }
            const behind = (element) => {
                for (let e = element; e; e = e.parentElement) {
                    const colour = view.getComputedStyle(e).backgroundColor
                    if (colour.startsWith("rgb(")) return colour
                }
                return "rgb(255, 255, 255)"
            }
            const faint = all(page, "body *").filter((element) => {
                if (element.closest("svg") || !Array.from(element.childNodes)
                    .some((node) => node.nodeType == 3 && node.data.trim())) return false
                const [a, b] = [luminance(view.getComputedStyle(element).color),
                    luminance(behind(element))]
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5
            })
            return {
                width: view.innerWidth,
                contentWidth: root.scrollWidth,
                overflowing: all(page, "body, body *").filter((element) => !element.closest("svg")
                    && !element.parentElement.closest(".scroll") && seen(element)
                    && (box(element).right > root.clientWidth + 0.5 || box(element).left < -0.5))
                    .map(name),
                colliding,
                faint: faint.map(name),
                background: view.getComputedStyle(page.body).backgroundColor,
                headings: all(page, "h1, h2").map((element) => element.textContent),
                tables: all(page, "table caption").map((element) => element.textContent),
                text: page.body.innerText,
                drawings: all(page, "svg").map((svg) => {
                    const figure = svg.closest("figure") || svg
                    const texts = (what) => all(figure, what).filter(seen).map((e) => e.textContent)
                    const view = svg.viewBox.baseVal
                    return {
                        title: svg.querySelector("title").textContent,
                        description: svg.querySelector("desc").textContent,
                        lines: all(svg, "path.line").length,
                        dots: all(svg, "path.dots").length,
                        isInside: all(svg, "path").every((path) => {
                            const b = path.getBBox()
                            return b.x >= -0.1 && b.y >= -0.1 && b.x + b.width <= view.width + 0.1
                                && b.y + b.height <= view.height + 0.1
                        }),
                        width: box(svg).width,
                        legend: texts(".legend li"),
                        xLabels: texts(".x span"),
                        yLabels: texts(".y span"),
                        marks: texts(".label"),
                    }
                }),
            }
        }
        """
}
