"""The runs: `ringload` against one server, and what is kept of its report."""

import collections
import json
import os
import statistics
import subprocess
import sys
import time

from servers import BIN, Server, cpus

# name: (arguments of ringload, the title, the most that io_uring may cost beside each peer)
SHAPES = {
    "64x50": (
        ["rr", "--size", "64", "--connections", "50"], "64 B x 50",
        {"epoll": 0.92, "c-epoll": 0.92, "go": 0.75, "nio": 0.68},
    ),
    "64x400": (
        ["rr", "--size", "64", "--connections", "400"], "64 B x 400",
        {"epoll": 0.92, "c-epoll": 0.92, "go": 0.62, "nio": 0.60},
    ),
    "64x50x16": (
        ["rr", "--size", "64", "--connections", "50", "--depth", "16"], "64 B x 50, 16 deep",
        {"epoll": 0.97, "c-epoll": 1.00, "go": 0.80, "nio": 0.72},
    ),
    "16kx50": (
        ["rr", "--size", "16k", "--connections", "50"], "16 KiB x 50",
        {"epoll": 0.95, "c-epoll": 0.97, "go": 0.50, "nio": 0.70},
    ),
    "256kx8": (
        ["rr", "--size", "256k", "--connections", "8"], "256 KiB x 8",
        {"epoll": 0.85, "c-epoll": 0.80, "go": 0.50, "nio": 0.70},
    ),
    "churn": (
        ["crr", "--size", "64", "--connections", "16", "--source", "127.0.0.0/8"],
        "connect, request, close",
        {"epoll": 0.97, "c-epoll": 1.00, "go": 0.58, "nio": 0.50},
    ),
}


def progress(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def interleaved(rounds, names, run, what):
    """Runs each once a round, each round beginning with another one: what disturbs the machine for a
    while meets all of them. Returns the runs of each."""
    runs = collections.defaultdict(list)
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            runs[name].append(run(name))
        progress(f"{what}: round {number + 1} of {rounds}")
    return dict(runs)


def load(server, arguments, report, on_cpus=None):
    """Runs ringload and returns its report. That a run is called invalid or broken is in it."""
    on_cpus = on_cpus or [cpus()[-1]]
    workload, *options = arguments
    if os.path.exists(report):
        os.remove(report)
    run = subprocess.run(
        [f"{BIN}/ringload", workload, f"127.0.0.1:{server.port}", *options, "--json", report],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, on_cpus),
    )
    if not os.path.exists(report):
        raise SystemExit(f"compare: ringload {' '.join(arguments)}: {run.stderr.decode()}")
    with open(report) as file:
        return json.load(file)


def figures(report):
    """What is kept of a run."""
    latency = report["latency_ns"]
    kept = {
        "messages_per_second": report["messages_per_second"],
        "p50_ns": latency["p50"],
        "p99_ns": latency["p99"],
        "p99_9_ns": latency["p99_9"],
        "errors": sum(report["errors"].values()),
        "is_valid": report["audit"]["valid"],
    }
    if "server" in report:
        kept["server_cpu_ns"] = report["server"]["cpu_ns_per_message"]
        kept["server_cpu_share"] = report["server"]["cpu_share"]
    return kept


def timed(name, arguments, duration, report, options=(), start=Server, **where):
    """A run whose speed counts, of a server that `start` starts."""
    with start(name, options, where.get("server_cpus")) as server:
        kept = figures(
            load(
                server,
                [*arguments, "--duration", duration, "--warmup", "500ms", "--server-pid", str(server.pid)],
                report,
                where.get("load_cpus"),
            )
        )
        return {**kept, "resident_bytes": server.resident_bytes()}


def checked(name, arguments, report, options=(), half_close=True, start=Server):
    """A run that checks every byte, and one that counts system calls where that is allowed: both cost
    time, so their speed does not count."""
    arguments = [*arguments, "--duration", "400ms", "--warmup", "200ms"]
    closing = ["--half-close"] if half_close and arguments[0] == "rr" else []
    with start(name, options) as server:
        integrity = load(server, [*arguments, "--verify", *closing], report)["integrity"]
        calls = None
        if os.geteuid() == 0:
            counting = ["--server-pid", str(server.pid), "--count-system-calls"]
            outcome = load(server, arguments + counting, report)
            calls = outcome["server"].get("system_calls_per_message")
    kept = {key: integrity[key] for key in ("lost", "foreign", "reordered", "verified_bytes")}
    return {**kept, "system_calls": calls}


def kernel_bytes():
    """What the kernel holds for its own objects (slabs, and what sockets have queued)."""
    with open("/proc/meminfo") as info:
        fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in info}
    return fields["Slab"]


def idle_bytes(name, connections, report, options=(), start=Server):
    """Memory for each connection that has a message every two seconds, above the server that has served
    a few and holds none: resident in the server's process, and the kernel's for both ends. None where
    they cannot be held: Go's `io.Copy` takes two descriptors of a pipe for each."""
    with start(name, options) as server:
        load(server, ["rr", "--connections", "4", "--duration", "200ms", "--warmup", "100ms"], report)
        empty, kernel_empty = server.resident_bytes(), kernel_bytes()
        idle = subprocess.Popen(
            [
                f"{BIN}/ringload", "rr", f"127.0.0.1:{server.port}", "--connections", str(connections),
                "--rate", str(connections // 2), "--ramp", "1s", "--warmup", "2s", "--duration", "3s",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(5)
        full, kernel_full = server.resident_bytes(), kernel_bytes()
        if idle.wait() != 0:
            progress(f"{name} could not hold {connections} connections")
            return None
    return {
        "process": (full - empty) / connections,
        "kernel": (kernel_full - kernel_empty) / connections,
    }


def median(values):
    return statistics.median(values)


def add_options(parser, shapes, duration="1s"):
    """What every comparison can be told, by an option or by the environment of `make`."""
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", 7)))
    parser.add_argument("--duration", default=os.environ.get("DURATION", duration), help="of each run")
    parser.add_argument(
        "--shapes", default=os.environ.get("SHAPES", ",".join(shapes)), help="some of " + ",".join(shapes)
    )
    parser.add_argument("--into", default="Benchmarks/results", help="the folder of the results")


def parse(parser, shapes):
    """The options, or an end with one line of what is wrong."""
    options = parser.parse_args()
    options.shapes = options.shapes.split(",")
    unknown = [shape for shape in options.shapes if shape not in shapes]
    if unknown:
        parser.error(f"no shape '{unknown[0]}'; there are {', '.join(shapes)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options
