// LiveBrowser: a page in Chromium while it lives, without a window. Chromium is told what to do
// through a pipe, which Python holds: it asks a few times a second what the page shows, and passes
// on what the console says.

import Foundation
import Support

/// A page that is looked at again and again.
final class LiveBrowser {
    /// What the page shows at a moment.
    struct Sight: Decodable {
        let title: String
        let state: String
        let mood: String
        let headlines: [String: String]
        /// Cells by table, row and column.
        let cells: [String: String]
        let curves: Int
        /// Cells without a header for their row or column.
        let bare: Int
        let width: Double
        let contentWidth: Double
        /// Elements that are less readable than WCAG 2 asks for (4.5 to 1).
        let faint: [String]
        let problems: [String]
    }

    private let program: Program
    private let profile = NSTemporaryDirectory() + "admin-profile-" + UUID().uuidString

    /// - Parameter pictures: the beginning of the names of pictures; nil takes none.
    init(_ address: String, width: Int = 1000, isDark: Bool = false, pictures: String? = nil) throws
    {
        let arguments = [address, profile, "\(width)", isDark ? "dark" : "light", pictures ?? ""]
        program = try Program(["python3", "-u", "-c", LiveBrowser.driver] + arguments)
    }

    deinit {
        program.signal(SIGTERM)
        _ = try? program.wait(seconds: 10)
        try? FileManager.default.removeItem(atPath: profile)
    }

    /// What the page shows once it fulfils a condition, or when the time is up.
    func sight(seconds: Double = 30, _ condition: (Sight) -> Bool) throws -> Sight {
        var last: Sight?
        _ = eventually(seconds: seconds) {
            guard let line = program.outputSoFar.split(separator: "\n").last else { return false }
            // The last line may not be whole yet.
            guard let sight = try? JSONDecoder().decode(Sight.self, from: Data(line.utf8)) else {
                return false
            }
            last = sight
            return condition(sight)
        }
        guard let last else { throw Program.TimedOut(what: [program.errorsSoFar]) }
        return last
    }

    private static let look = """
        (() => {
            const all = (what, from = document) => Array.from(from.querySelectorAll(what));
            const channel = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            const luminance = (text) => {
                const [r, g, b] = text.match(/[0-9.]+/g).map((v) => channel(v / 255));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = (element) => {
                for (let e = element; e; e = e.parentElement) {
                    const colour = getComputedStyle(e).backgroundColor;
                    if (colour.startsWith("rgb(")) return colour;
                }
                return "rgb(255, 255, 255)";
            };
            const cells = {};
            let bare = 0;
            for (const table of all("table")) {
                const columns = all("thead th[scope=col]", table).map((th) => th.textContent);
                const caption = table.caption.textContent;
                for (const row of all("tbody tr", table)) {
                    const title = row.querySelector("th[scope=row]")?.textContent;
                    all("td", row).forEach((td, index) => {
                        if (!title || columns[index + 1] === undefined) bare++;
                        cells[`${caption}/${title}/${columns[index + 1]}`] = td.textContent;
                    });
                }
            }
            return JSON.stringify({
                title: document.title,
                state: document.getElementById("state").textContent,
                mood: document.getElementById("state").className,
                headlines: Object.fromEntries(all("dl > div").map((item) =>
                    [item.querySelector("dt").textContent, item.querySelector("b").textContent])),
                cells, bare,
                curves: all("polyline").filter((e) => e.points.length > 1).length,
                width: innerWidth, contentWidth: document.documentElement.scrollWidth,
                faint: all("body *").filter((element) => {
                    if (element.closest("svg, script, noscript") || !Array.from(element.childNodes)
                        .some((node) => node.nodeType == 3 && node.data.trim())) return false;
                    const [a, b] = [luminance(getComputedStyle(element).color),
                        luminance(behind(element))];
                    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
                }).map((element) => element.tagName + " " + element.textContent.slice(0, 40)),
            });
        })()
        """

    private static let driver = """
        import base64, fcntl, json, os, signal, subprocess, sys, time
        address, profile, width, scheme, pictures = sys.argv[1:]
        down, up = os.pipe(), os.pipe()
        def ends():
            # By way of high numbers: those of the pipes may be 3 and 4 themselves.
            high = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (down[0], up[1])]
            os.dup2(high[0], 3), os.dup2(high[1], 4)
        chromium = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--remote-debugging-pipe", "--user-data-dir=" + profile],
            preexec_fn=ends, close_fds=False, stderr=subprocess.DEVNULL)
        def leave(*_):
            chromium.terminate(), chromium.wait(), os._exit(0)
        signal.signal(signal.SIGTERM, leave)
        os.close(down[0]), os.close(up[1])
        number, rest, problems = 0, b"", []
        def call(method, session=None, **params):
            global number, rest
            number += 1
            message = {"id": number, "method": method, "params": params}
            if session: message["sessionId"] = session
            os.write(down[1], json.dumps(message).encode() + b"\\0")
            while True:
                while b"\\0" not in rest: rest += os.read(up[0], 1 << 20)
                piece, rest = rest.split(b"\\0", 1)
                answer = json.loads(piece)
                if answer.get("id") == number: return answer["result"]
                if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown",
                                            "Runtime.consoleAPICalled"):
                    text = json.dumps(answer["params"])
                    # That the server is gone is what the page is to say.
                    if "ERR_CONNECTION" not in text: problems.append(text)
        target = call("Target.createTarget", url="about:blank")["targetId"]
        session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Log", "Runtime", "Page"): call(domain + ".enable", session)
        call("Emulation.setDeviceMetricsOverride", session, width=int(width), height=1100,
             deviceScaleFactor=1, mobile=False)
        call("Emulation.setEmulatedMedia", session,
             features=[{"name": "prefers-color-scheme", "value": scheme}])
        call("Page.navigate", session, url=address)
        while True:
            time.sleep(0.25)
            result = call("Runtime.evaluate", session, expression=LOOK)["result"]
            if "value" not in result: continue
            sight = json.loads(result["value"])
            sight["problems"] = problems
            print(json.dumps(sight))
            if pictures:
                data = call("Page.captureScreenshot", session)["data"]
                with open(f"{pictures}-{sight['mood']}.png", "wb") as file:
                    file.write(base64.b64decode(data))
        """.replacing("LOOK", with: "r'''\(look)'''")
}
