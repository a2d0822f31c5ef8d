"""Compares `ringback relay` on both backends with HAProxy, with and without splice, and with nginx's
stream module: interleaved rounds, the relay alone on one CPU, upstream and load on another. Writes the
figures as JSON, as Markdown and as a plot.

    python3 Benchmarks/compare/relays.py          everything, into Benchmarks/results (10 minutes)

`make bench-relay` builds and installs what it needs and runs it."""

import argparse
import functools
import os
import tempfile

import manifest
import measuring
import plots
import report
from measuring import interleaved
from servers import BIN, TITLES, Server, cpus

RELAYS = ["relay-uring", "relay-epoll", "haproxy", "haproxy-splice", "nginx"]
PEERS = ["haproxy", "haproxy-splice", "nginx"]
IDLE_PAIRS = 4000

# name: (arguments of ringload, the title, the most that io_uring may cost beside the best of the peers)
SHAPES = {
    "64x50": (["rr", "--size", "64", "--connections", "50"], "64 B x 50", 0.80),
    "16kx20": (["rr", "--size", "16k", "--connections", "20"], "16 KiB x 20", 0.75),
    "256kx8": (["rr", "--size", "256k", "--connections", "8"], "256 KiB x 8", 0.50),
    "churn": (
        ["crr", "--size", "64", "--connections", "16", "--source", "127.0.0.0/8"],
        "connect, request, close", 0.80,
    ),
}

HAPROXY = """
global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    {splice}
listen relay
    bind 127.0.0.1:{port} backlog 4096
    server upstream 127.0.0.1:{upstream}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
stream {{
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_pass 127.0.0.1:{upstream};
        proxy_timeout 1h;
    }}
}}
"""


def command(folder, upstream, name, port, _):
    """Starts a relay to the upstream's port: one thread, no log, its configuration in `folder`."""
    if name.startswith("relay-"):
        return [
            f"{BIN}/ringback", "relay", "--backend", name.removeprefix("relay-"), "--workers", "1",
            "--busy-poll", "off", "--seccomp", "off", "--listen", f"127.0.0.1:{port}",
            "--to", f"127.0.0.1:{upstream}",
        ]
    splice = "option splice-auto" if name == "haproxy-splice" else ""
    words = (NGINX if name == "nginx" else HAPROXY).format(
        folder=folder, port=port, upstream=upstream, splice=splice
    )
    path = os.path.join(folder, f"{name}.conf")
    with open(path, "w") as file:
        file.write(words)
    return ["nginx", "-c", path] if name == "nginx" else ["haproxy", "-db", "-f", path]


def shapes(options, scratch, start):
    results = {}
    for shape in options.shapes:
        arguments = SHAPES[shape][0]
        runs = interleaved(
            options.rounds, RELAYS,
            lambda name: measuring.timed(name, arguments, options.duration, scratch, start=start), shape,
        )
        # nginx ends a pair at the first FIN: half-closed clients are no part of this comparison.
        checks = {
            name: measuring.checked(name, arguments, scratch, half_close=False, start=start)
            for name in RELAYS
        }
        results[shape] = {"runs": runs, "checks": checks}
    return results


def paced(options, results, scratch, upstream, start):
    """What each adds to the latency of the upstream, at half of what the slowest of them carries."""
    peaks = [
        measuring.median([run["messages_per_second"] for run in runs])
        for runs in results["64x50"]["runs"].values()
    ]
    rate = int(0.5 * min(peaks))
    arguments = [*SHAPES["64x50"][0], "--rate", str(rate)]
    runs = interleaved(
        options.rounds, ["upstream", *RELAYS],
        lambda name: measuring.figures(
            measuring.load(
                upstream, [*arguments, "--duration", options.duration, "--warmup", "300ms"], scratch
            )
        ) if name == "upstream" else measuring.timed(
            name, arguments, options.duration, scratch, start=start
        ),
        "latency",
    )
    return {"rate": rate, "runs": runs}


def idle(scratch, start):
    samples = interleaved(
        4, RELAYS, lambda name: measuring.idle_bytes(name, IDLE_PAIRS, scratch, start=start), "idle pairs"
    )
    return {
        name: measuring.median([sample["process"] for sample in found[1:]])
        for name, found in samples.items()
    }


def best(runs, key):
    """The least of the peers in each round, so that what disturbs a round meets both sides."""
    return [min(values) for values in zip(*([run[key] for run in runs[name]] for name in PEERS))]


def bars(results):
    rows = []
    for shape, result in results["shapes"].items():
        for name in RELAYS[:2]:
            own = [run["server_cpu_ns"] for run in result["runs"][name]]
            values = [mine / theirs for mine, theirs in zip(own, best(result["runs"], "server_cpu_ns"))]
            bar = SHAPES[shape][2]
            rows.append([
                SHAPES[shape][1], TITLES[name], report.ratio(values), f"{bar:.2f}",
                "yes" if measuring.median(values) <= bar else "**no**",
            ])
    return report.table(["load", "relay", "CPU per message to the best peer", "at most", "reached"], rows)


def latencies(results):
    rows = []
    none = results["paced"]["runs"]["upstream"]
    for name, runs in results["paced"]["runs"].items():
        p50, p99 = (report.column(runs, key) / 1000 for key in ("p50_ns", "p99_ns"))
        added = [report.column(none, key) / 1000 for key in ("p50_ns", "p99_ns")]
        rows.append([
            TITLES.get(name, "none"), f"{p50:.0f}", f"{p99:.0f}", f"{p50 - added[0]:.0f}",
            f"{p99 - added[1]:.0f}", report.faults(runs),
        ])
    head = ["through", "p50 us", "p99 us", "added p50 us", "added p99 us", "invalid runs / errors"]
    return report.table(head, rows)


def text(results, stem):
    taken = results["manifest"]
    parts = [
        f"# {stem}: `ringback relay` beside HAProxy and nginx",
        f"`{taken['command']}`: {taken['rounds']} interleaved rounds of {taken['duration']}, one relay "
        "thread on one CPU, upstream and load on the other, loopback. The ratio is, round by round, to the "
        "best of HAProxy, with and without splice, and nginx; the table gives its median and its 95 % "
        "confidence interval (bootstrap).",
        f"![relay CPU for each message]({stem}-cpu.svg)",
        "## To the best of the peers", bars(results),
        "## Every figure",
        "Medians over the rounds. Integrity is of one further run of each, with `--verify`, and the system "
        "calls are of another.",
        report.figures(results["shapes"], SHAPES),
    ]
    if "paced" in results:
        parts += [
            f"## What a relay adds to the latency, at {results['paced']['rate']} messages a second",
            "64 B x 50, an open loop at half of what the slowest carries. Load and upstream share a CPU, so "
            "part of it is their waiting for that, and ringload's audit calls such runs invalid: compare the "
            "rows, and do not take them for what a network would show.",
            latencies(results),
            f"## Memory of {IDLE_PAIRS} pairs",
            "The relay's process (RSS) above itself without pairs; each has a message every two seconds.",
            report.table(
                ["relay", "bytes a pair"],
                [[TITLES[name], f"{value:.0f}"] for name, value in results["idle"].items()],
            ),
        ]
    return "\n\n".join(parts + ["## The machine", report.machine(taken)]) + "\n"


def main():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/compare/relays.py", description=__doc__.split("\n\n")[0]
    )
    measuring.add_options(parser, SHAPES)
    options = measuring.parse(parser, SHAPES)
    with tempfile.TemporaryDirectory() as folder, Server(
        "uring", ["--workers", "1", "--busy-poll", "off"], [cpus()[-1]]
    ) as upstream:
        scratch = os.path.join(folder, "run.json")
        start = functools.partial(Server, command=functools.partial(command, folder, upstream.port))
        results = {"manifest": manifest.take(options, "bench-relay")}
        sections = {"shapes": lambda: shapes(options, scratch, start)}
        # What does not belong to a shape is measured where none is left out.
        if options.shapes == list(SHAPES):
            sections |= {
                "paced": lambda: paced(options, results["shapes"], scratch, upstream, start),
                "idle": lambda: idle(scratch, start),
            }
        stem = manifest.stem(options, results, "-relay")
        report.measure(stem, results, sections)
    report.write(stem, results, text, {"cpu": plots.cpu(results["shapes"], SHAPES, "relay-uring")})


main()
