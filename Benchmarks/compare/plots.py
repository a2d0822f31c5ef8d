"""The plots, as SVG that reads on light and dark pages alike."""

from measuring import SHAPES, median
from report import ratios
from servers import SERVERS, TITLES

COLOURS = {
    "uring": "#2f7fd6", "epoll": "#7fb2e5", "c-epoll": "#8a8f98", "go": "#2aa198",
    "go-splice": "#6cc3b9", "nio": "#e07b39", "relay-uring": "#2f7fd6", "relay-epoll": "#7fb2e5",
    "haproxy": "#8a8f98", "haproxy-splice": "#aab0b8", "nginx": "#2aa198",
}
INK = "#808890"
WIDTH = 860
LABEL_WIDTH = 275
FONT = 'font-family="system-ui, sans-serif" font-size="13"'


def text(x, y, content, anchor="start", weight="normal"):
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" {FONT} font-weight="{weight}" fill="{INK}" '
        f'text-anchor="{anchor}">{content}</text>'
    )


def bar_rows(title, groups):
    """Horizontal bars in groups. Each group is a title and its bars: (label, colour, length from 0 to
    1, what stands behind the bar)."""
    parts, y = [text(0, 18, title, weight="bold")], 40
    room = WIDTH - LABEL_WIDTH - 130
    for name, rows in groups:
        parts.append(text(0, y + 12, name, weight="bold"))
        for label, colour, length, note in rows:
            parts.append(text(LABEL_WIDTH + 120 - 8, y + 12, label, anchor="end"))
            parts.append(
                f'<rect x="{LABEL_WIDTH + 120}" y="{y + 1}" width="{max(1, (room - 130) * length):.1f}" '
                f'height="13" rx="2" fill="{colour}"/>'
            )
            parts.append(text(LABEL_WIDTH + 126 + (room - 130) * length, y + 12, note))
            y += 18
        y += 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}" role="img">\n<title>{title}</title>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def cost(nanoseconds):
    return f"{nanoseconds / 1000:.1f} us" if nanoseconds >= 1000 else f"{nanoseconds:.0f} ns"


def cpu(results, shapes, ours):
    """What each takes for a message beside `ours`; `shapes` has the titles."""
    groups = []
    for shape, result in results.items():
        # Of each round by itself, as in the tables: the host may change its speed between rounds.
        shares = {
            name: 1 / median(ratios(result["runs"], name, "server_cpu_ns", ours))
            for name in result["checks"] if name != "default"
        }
        own = median([run["server_cpu_ns"] for run in result["runs"][ours]])
        most = max(shares.values())
        groups.append((
            f"{shapes[shape][1]}: {cost(own)}",
            [
                (TITLES[name], COLOURS[name], share / most, f"{share:.2f}")
                for name, share in shares.items()
            ],
        ))
    return bar_rows("Server CPU time for each message, as a multiple of ringback's on io_uring", groups)


def latency(results):
    values = {
        (entry["server"], entry["awake"]): median([run["p50_ns"] for run in entry["runs"]])
        for entry in results["spinning"]
    }
    most = max(values.values())
    titles = {
        "neither": "neither looks", "server": "the server looks", "load": "the load looks",
        "both": "both look",
    }
    groups = [
        (
            title,
            [
                (TITLES[name], COLOURS[name], values[name, awake] / most, cost(values[name, awake]))
                for name in SERVERS if (name, awake) in values
            ],
        )
        for awake, title in titles.items()
    ]
    return bar_rows("One connection, 64 B: median time to the echo, by who looks before sleeping", groups)


def draw(results):
    drawings = {"cpu": cpu(results["shapes"], SHAPES, "uring")}
    if "spinning" in results:
        drawings["latency"] = latency(results)
    return drawings
