"""Measures what newer kernels offer to an io_uring server, each thing behind a switch of a minimal one in
C (`peers/uring-echo.c`), beside the same server without. Writes the figures as Markdown and as JSON.

    python3 Benchmarks/compare/attempts.py        everything, into Benchmarks/results (12 minutes)

`make bench-attempts` builds what it needs and runs it."""

import argparse
import os
import tempfile

import manifest
import measuring
import report

IDLE_CONNECTIONS = 10_000

# What stands in the tables: which server it is, and its switches.
BIG = "buffer-bytes=1048576"
ATTEMPTS = {
    "nothing": ("c-uring", []),
    "NO_SQARRAY": ("c-uring", ["no-sqarray"]),
    "registered waits": ("c-uring", ["registered-wait"]),
    "receive bundles": ("c-uring", ["bundle"]),
    "buffers of 4 KiB": ("c-uring", ["buffer-bytes=4096", "buffers=16384"]),
    "receive bundles of 4 KiB": ("c-uring", ["bundle", "buffer-bytes=4096", "buffers=16384"]),
    "incremental buffers of 1 MiB": ("c-uring", ["incremental", BIG, "buffers=16"]),
    "both, of 1 MiB": ("c-uring", ["bundle", "incremental", BIG, "buffers=16"]),
    "parked after each message": ("c-uring", ["park"]),
    "zero-copy sends": ("c-uring", ["zero-copy"]),
    "ringback, io_uring": ("uring", []),
}


def by_shape(options, scratch):
    results = {}
    for shape in options.shapes:
        arguments = measuring.SHAPES[shape][0]
        runs = measuring.interleaved(
            options.rounds, list(ATTEMPTS),
            lambda title: measuring.timed(
                ATTEMPTS[title][0], arguments, options.duration, scratch, ATTEMPTS[title][1]
            ),
            shape,
        )
        checks = {
            title: measuring.checked(name, arguments, scratch, switches)
            for title, (name, switches) in ATTEMPTS.items()
        }
        results[shape] = {"runs": runs, "checks": checks}
    return results


def idle(scratch):
    """As in the comparison: medians of three rounds behind one that does not count."""
    samples = measuring.interleaved(
        4, ["nothing", "parked after each message"],
        lambda title: measuring.idle_bytes(
            ATTEMPTS[title][0], IDLE_CONNECTIONS, scratch, ATTEMPTS[title][1]
        ),
        "idle connections",
    )
    return {
        title: measuring.median([sample["kernel"] for sample in found[1:]])
        for title, found in samples.items()
    }


def faults(results, title):
    """Bytes lost, foreign and reordered, and connections that broke, in all shapes."""
    checks = [shape["checks"][title] for shape in results["shapes"].values()]
    runs = [run for shape in results["shapes"].values() for run in shape["runs"][title]]
    found = [sum(check[key] for check in checks) for key in ("lost", "foreign", "reordered")]
    return " / ".join(map(str, [*found, sum(run["errors"] for run in runs)]))


def text(results, stem):
    shapes = results["shapes"]
    rows = [
        [
            title,
            *(
                report.ratio(report.ratios(shape["runs"], "nothing", "server_cpu_ns", ours=title))
                for shape in shapes.values()
            ),
            faults(results, title),
        ]
        for title in ATTEMPTS if title != "nothing"
    ]
    absolute = [
        [
            "nothing (ns)",
            *(f"{report.column(shape['runs']['nothing'], 'server_cpu_ns'):.0f}" for shape in shapes.values()),
            faults(results, "nothing"),
        ]
    ]
    head = ["tried", *(measuring.SHAPES[shape][1] for shape in shapes)]
    return "\n\n".join([
        f"# {stem}: what newer kernels offer",
        f"`{results['manifest']['command']}`: server CPU per message to that of the same C server without "
        "the switch, in the same round; the median and its 95 % confidence interval (bootstrap). Below 1 it "
        "pays.",
        report.table([*head, "lost / foreign / reordered / errors"], absolute + rows),
        f"## Memory of {IDLE_CONNECTIONS} connections",
        "The kernel's slabs for both ends of each, which has a message every two seconds.",
        report.table(["", "bytes"], [[title, f"{value:.0f}"] for title, value in results["idle"].items()]),
        "## The machine", report.machine(results["manifest"]),
    ]) + "\n"


def main():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/compare/attempts.py", description=__doc__.split("\n\n")[0]
    )
    measuring.add_options(parser, measuring.SHAPES, duration="400ms")
    options = measuring.parse(parser, measuring.SHAPES)
    with tempfile.TemporaryDirectory() as folder:
        scratch = os.path.join(folder, "run.json")
        results = {
            "manifest": manifest.take(options, "bench-attempts"),
            "shapes": by_shape(options, scratch),
            "idle": idle(scratch),
        }
    report.write(manifest.stem(options, results, "-attempts"), results, text, {})


main()
