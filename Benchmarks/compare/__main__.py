"""Compares `ringback echo` on both backends with a minimal C epoll server, Go's net package and
SwiftNIO, in every shape of traffic: interleaved rounds, the server on one CPU and the load on another.
Writes the figures as JSON, as Markdown and as plots.

    python3 Benchmarks/compare                    everything, into Benchmarks/results (12 minutes)
    python3 Benchmarks/compare --rounds 3 --shapes 64x50,churn --into /tmp/results

`make bench-echo` builds what it needs and runs it. Benchmarks/README.md says how to read the results."""

import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))

import manifest
import measuring
import plots
import report
from measuring import interleaved
from servers import SERVERS, cpus

IDLE_CONNECTIONS = 10_000
SLEEPERS = [name for name in SERVERS if name != "default"]


def shapes(options, scratch):
    results = {}
    for shape in options.shapes:
        arguments = measuring.SHAPES[shape][0]
        runs = interleaved(
            options.rounds, SERVERS,
            lambda name: measuring.timed(name, arguments, options.duration, scratch), shape,
        )
        checks = {name: measuring.checked(name, arguments, scratch) for name in SERVERS}
        results[shape] = {"runs": runs, "checks": checks}
    return results


def paced(options, results, scratch):
    """The latencies of all at one rate: 70 % of the peak of the slowest, which all of them carry. A
    percentile this far out is what the machine's hiccups make it: it takes more rounds."""
    peaks = [
        measuring.median([run["messages_per_second"] for run in runs])
        for runs in results["64x50"]["runs"].values()
    ]
    rate = int(0.7 * min(peaks))
    arguments = [*measuring.SHAPES["64x50"][0], "--rate", str(rate)]
    runs = interleaved(
        2 * options.rounds + 1, SERVERS,
        lambda name: measuring.timed(name, arguments, options.duration, scratch), "latency",
    )
    return {"rate": rate, "runs": runs}


def spinning(options, scratch):
    """One connection, where neither side, the server alone, or both look for events before they
    sleep."""
    one = ["rr", "--size", "64", "--connections", "1"]
    alone, both = [*one, "--busy-poll", "off"], [*one, "--busy-poll", "auto"]
    off, auto = ["--workers", "1", "--busy-poll", "off"], ["--workers", "1", "--busy-poll", "auto"]
    variants = {
        **{(name, "neither"): (alone, off) for name in SLEEPERS},
        **{(name, "server"): (alone, auto) for name in ("uring", "epoll")},
        **{(name, "load"): (both, off) for name in SLEEPERS},
        **{(name, "both"): (both, auto) for name in ("uring", "epoll")},
    }
    runs = interleaved(
        options.rounds, list(variants),
        lambda key: measuring.timed(key[0], variants[key][0], options.duration, scratch, variants[key][1]),
        "one connection",
    )
    return [{"server": name, "awake": awake, "runs": runs[name, awake]} for name, awake in variants]


def costs_of_spinning(options, scratch):
    """What `--busy-poll auto` brings and costs elsewhere: 16 connections, two workers that share their
    CPUs with the load, and a trickle of messages."""
    asleep = ["rr", "--size", "64", "--busy-poll", "off"]
    few = [*asleep, "--connections", "16"]
    many = [*asleep, "--connections", "100", "--workers", "2"]
    trickle = [*asleep, "--connections", "1", "--rate", "100"]
    all_cpus = {"server_cpus": cpus(), "load_cpus": cpus()}
    results = []
    for title, arguments, workers, where in [
        ("16 connections", few, 1, {}),
        ("two workers on the CPUs of their load", many, 2, all_cpus),
        ("100 messages a second", trickle, 1, {}),
    ]:
        runs = interleaved(
            options.rounds, ["off", "auto"],
            lambda choice: measuring.timed(
                "uring", arguments, options.duration, scratch,
                ["--workers", str(workers), "--busy-poll", choice], **where,
            ),
            title,
        )
        results.append({"title": title, "runs": runs})
    return results


def medians(samples):
    """Of each kind of memory; None where a round could not be held."""
    if None in samples:
        return None
    return {key: measuring.median([sample[key] for sample in samples]) for key in samples[0]}


def idle(options, scratch):
    """Medians of three rounds, behind one that does not count: whoever is first pays for what the kernel
    keeps for the others."""
    samples = interleaved(
        4, SLEEPERS,
        lambda name: measuring.idle_bytes(name, IDLE_CONNECTIONS, scratch), "idle connections",
    )
    return {
        "connections": IDLE_CONNECTIONS,
        "bytes": {name: medians(found[1:]) for name, found in samples.items()},
    }


def main():
    parser = argparse.ArgumentParser(prog="Benchmarks/compare", description=__doc__.split("\n\n")[0])
    measuring.add_options(parser, measuring.SHAPES)
    options = measuring.parse(parser, measuring.SHAPES)

    with tempfile.TemporaryDirectory() as folder:
        scratch = os.path.join(folder, "run.json")
        results = {"manifest": manifest.take(options, "bench-echo")}
        sections = {"shapes": lambda: shapes(options, scratch)}
        # What does not belong to a shape is measured where none is left out.
        if options.shapes == list(measuring.SHAPES):
            sections |= {
                "spinning": lambda: spinning(options, scratch),
                "costs_of_spinning": lambda: costs_of_spinning(options, scratch),
                "idle": lambda: idle(options, scratch),
                "paced": lambda: paced(options, results["shapes"], scratch),
            }
        stem = manifest.stem(options, results)
        report.measure(stem, results, sections)
    report.write(stem, results, report.text, plots.draw(results))


main()
