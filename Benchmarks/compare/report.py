"""The results as Markdown."""

import json
import os
import random
import statistics

from measuring import SHAPES, median, progress
from servers import TITLES

RESAMPLES = 2000


def interval(values):
    """The 95 % confidence interval of a median: percentiles of the medians of resamples. The seed is
    fixed, so one set of results has one report."""
    chance = random.Random(1)
    medians = sorted(
        statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


def column(runs, key):
    return median([run[key] for run in runs])


def ratios(runs, peer, key, ours="uring"):
    """io_uring to a peer, round by round."""
    return [mine[key] / theirs[key] for mine, theirs in zip(runs[ours], runs[peer])]


def ratio(values):
    least, most = interval(values)
    return f"{median(values):.3f} ({least:.3f} to {most:.3f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def bars(results):
    rows = []
    for shape, result in results["shapes"].items():
        bars_of_shape = dict(SHAPES[shape][2])
        # Both are Go: the bar is for the better one.
        bars_of_shape["go-splice"] = bars_of_shape["go"]
        for peer, bar in bars_of_shape.items():
            values = ratios(result["runs"], peer, "server_cpu_ns")
            rows.append([
                SHAPES[shape][1], TITLES[peer], ratio(values), f"{bar:.2f}",
                "yes" if median(values) <= bar else "**no**",
                ratio(ratios(result["runs"], peer, "messages_per_second")),
                ratio(ratios(result["runs"], peer, "messages_per_second", ours="default")),
            ])
    head = [
        "load", "peer", "CPU per message", "at most", "reached", "messages/s",
        "messages/s, busy polling",
    ]
    return table(head, rows)


def figures(results, shapes):
    """A row for each server and shape; `shapes` has the titles."""
    rows = []
    for shape, result in results.items():
        for name, check in result["checks"].items():
            runs = result["runs"][name]
            calls = "-" if check["system_calls"] is None else f"{check['system_calls']:.3f}"
            rows.append([
                shapes[shape][1], TITLES[name],
                f"{column(runs, 'server_cpu_ns'):.0f}", f"{column(runs, 'messages_per_second'):.0f}",
                f"{column(runs, 'server_cpu_share'):.2f}",
                *(f"{column(runs, key) / 1000:.0f}" for key in ("p50_ns", "p99_ns", "p99_9_ns")),
                f"{column(runs, 'resident_bytes') / 2**20:.1f}", calls, faults(runs),
                f"{check['lost']} / {check['foreign']} / {check['reordered']}",
            ])
    head = [
        "load", "server", "CPU ns/message", "messages/s", "CPU busy", "p50 us", "p99 us", "p99.9 us",
        "RSS MiB", "system calls/message", "invalid runs / errors", "lost / foreign / reordered",
    ]
    return table(head, rows)


def faults(runs):
    """Runs that ringload's audit calls invalid, and connections that broke."""
    return f"{sum(not run['is_valid'] for run in runs)} / {sum(run['errors'] for run in runs)}"


def paced(results):
    """Latencies, and p99 of Ringback as it comes to that of each: no higher where the interval reaches
    down to 1."""
    everyone = results["paced"]["runs"]
    rows = []
    for name, runs in everyone.items():
        beside, reached = "-", "-"
        if name != "default":
            values = ratios(everyone, name, "p99_ns", ours="default")
            beside, reached = ratio(values), "yes" if interval(values)[0] <= 1 else "**no**"
        rows.append([
            TITLES[name],
            *(f"{column(runs, key) / 1000:.0f}" for key in ("p50_ns", "p99_ns", "p99_9_ns")),
            beside, reached, faults(runs),
        ])
    head = [
        "server", "p50 us", "p99 us", "p99.9 us", "p99, busy polling to this", "no higher",
        "invalid runs / errors",
    ]
    return table(head, rows)


def spinning(results):
    asleep = {
        entry["server"]: column(entry["runs"], "p50_ns")
        for entry in results["spinning"] if entry["awake"] == "neither"
    }
    rows = [
        [
            TITLES[entry["server"]], entry["awake"], f"{column(entry['runs'], 'p50_ns') / 1000:.1f}",
            f"{column(entry['runs'], 'p99_ns') / 1000:.1f}",
            f"{column(entry['runs'], 'p50_ns') / asleep[entry['server']]:.2f}",
        ]
        for entry in results["spinning"]
    ]
    return table(["server", "who looks before sleeping", "p50 us", "p99 us", "p50 to neither"], rows)


def costs_of_spinning(results):
    rows = []
    for entry in results["costs_of_spinning"]:
        off, auto = entry["runs"]["off"], entry["runs"]["auto"]
        gains = [b["messages_per_second"] / a["messages_per_second"] for a, b in zip(off, auto)]
        rows.append([
            entry["title"], f"{median(gains):.3f}",
            f"{column(off, 'server_cpu_share'):.3f}", f"{column(auto, 'server_cpu_share'):.3f}",
            f"{column(off, 'p50_ns') / 1000:.0f}", f"{column(auto, 'p50_ns') / 1000:.0f}",
        ])
    head = ["load", "messages/s, auto to off", "CPU share off", "CPU share auto", "p50 us off", "p50 us auto"]
    return table(head, rows)


def idle(results):
    rows = [
        [TITLES[name], f"{value['process']:.0f}", f"{value['kernel']:.0f}"] if value
        else [TITLES[name], "could not hold them", "-"]
        for name, value in results["idle"]["bytes"].items()
    ]
    return table(["server", "bytes of the process (RSS)", "bytes of the kernel (slabs), both ends"], rows)


def machine(manifest):
    rows = [
        ["commit", manifest["commit"]],
        ["processor", f"{manifest['processor']}, {manifest['cpus']} CPUs; server on "
                      f"{manifest['server_cpu']}, load on {manifest['load_cpu']}"],
        ["kernel", manifest["kernel"]],
        *([f"`{name}`", value] for name, value in manifest["settings"].items()),
        *([name, value] for name, value in manifest["versions"].items()),
        *([f"flags of {name}", value] for name, value in manifest["flags"].items()),
        ["mitigations", "; ".join(f"{name}: {value}" for name, value in manifest["mitigations"].items())],
    ]
    return table(["", ""], rows)


def text(results, stem):
    manifest = results["manifest"]
    parts = [
        f"# {stem}: `ringback echo` beside its peers",
        f"`{manifest['command']}`: {manifest['rounds']} interleaved rounds of {manifest['duration']}, one "
        "server thread on one CPU, the load on another, loopback. Ratios are of one round each; the table "
        "gives their median and its 95 % confidence interval (bootstrap). Below 1 io_uring needs less CPU "
        "time, above 1 it answers more messages. The CPU time of a message is that of a server that sleeps "
        "when it has nothing to do; with busy polling, which is how ringback comes, idle time is spent on "
        "looking.",
        f"![server CPU for each message]({stem}-cpu.svg)",
        "## io_uring to each peer", bars(results),
        "## Every figure",
        "Medians over the rounds. Integrity is of one further run of each, with `--verify --half-close`, "
        "and the system calls are of another.",
        figures(results["shapes"], SHAPES),
    ]
    if "spinning" in results:
        parts += rest(results, stem)
    return "\n\n".join(parts + ["## The machine", machine(manifest)]) + "\n"


def rest(results, stem):
    """What is measured where every shape is."""
    return [
        "## One connection", f"![latency of one connection]({stem}-latency.svg)", spinning(results),
        "## What `--busy-poll auto` brings and costs (io_uring)", costs_of_spinning(results),
        f"## Latency at {results['paced']['rate']} messages a second",
        "64 B x 50, an open loop at 70 % of the peak of the slowest.", paced(results),
        f"## Memory of {results['idle']['connections']} connections",
        "Above the server without connections; each has a message every two seconds. What the kernel holds "
        "for the load's end is in the second column too, the same for all.", idle(results),
    ]


def keep(stem, results):
    os.makedirs(os.path.dirname(stem), exist_ok=True)
    with open(f"{stem}.json", "w") as file:
        json.dump(results, file, indent=1)


def measure(stem, results, sections):
    """Section by section; those that are there are kept as JSON, should a later one fail."""
    for name, section in sections.items():
        results[name] = section()
        keep(stem, results)


def write(stem, results, words, drawings):
    """The three forms of the results: JSON, plots, and what `words` makes of them as Markdown."""
    keep(stem, results)
    for name, drawing in drawings.items():
        with open(f"{stem}-{name}.svg", "w") as file:
            file.write(drawing)
    with open(f"{stem}.md", "w") as file:
        file.write(words(results, os.path.basename(stem)))
    progress(f"written: {stem}.md and .json")
