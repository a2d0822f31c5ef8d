"""Where and of what a comparison was made: machine, kernel, settings, versions, commit."""

import datetime
import glob
import os
import re
import subprocess

from servers import PEERS, cpus

SETTINGS = [
    "kernel.io_uring_disabled", "net.core.somaxconn", "net.core.busy_poll",
    "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_tw_reuse", "net.ipv4.ip_local_port_range",
]


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return "not readable"


def output(*command):
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "not found"
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0] if lines else ""


def processor():
    match = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    return match[1] if match else os.uname().machine


def host():
    """A name for files: the kind of processor, and how many CPUs."""
    kind = re.search(r"(epyc|xeon|ryzen|core|graviton|neoverse)", processor().lower())
    return f"{kind[1] if kind else os.uname().machine}-{os.cpu_count()}core"


def swift_nio():
    """The version that was resolved for the peer."""
    checkout = f"{PEERS}/nio-echo/checkouts/swift-nio"
    return output("git", "-C", checkout, "describe", "--tags") if os.path.isdir(checkout) else "unknown"


def stem(options, results, kind=""):
    """The path of the results without the ends of the files' names."""
    commit = results["manifest"]["commit"]
    return os.path.join(options.into, f"{datetime.date.today()}-{host()}-{commit}{kind}")


def take(options, target):
    """`target` is what `make` was asked for."""
    weaknesses = "/sys/devices/system/cpu/vulnerabilities/"
    mitigations = {
        os.path.basename(path): read(path)
        for path in sorted(glob.glob(weaknesses + "*"))
        if read(path) != "Not affected"
    }
    return {
        "command": f"ROUNDS={options.rounds} DURATION={options.duration} "
                   f"SHAPES={','.join(options.shapes)} make {target}",
        "rounds": options.rounds,
        "duration": options.duration,
        "commit": output("git", "describe", "--always", "--dirty"),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "server_cpu": cpus()[0],
        "load_cpu": cpus()[-1],
        "kernel": os.uname().release,
        "mitigations": mitigations,
        "settings": {
            name: read("/proc/sys/" + name.replace(".", "/")).replace("\t", " ") for name in SETTINGS
        },
        "versions": {
            "swift": output("swift", "--version"),
            "cc": output("cc", "--version"),
            "go": output("go", "version"),
            "swift-nio": swift_nio(),
            "haproxy": output("haproxy", "-v"),
            "nginx": output("nginx", "-v"),
        },
        "flags": {"swift": "-c release", "cc": "-O2", "go": "GOMAXPROCS=1, CGO_ENABLED=0"},
    }
