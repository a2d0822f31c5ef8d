"""The servers that are compared: how each is started, alone on one CPU with one thread for its
connections, and how it is ended."""

import os
import random
import signal
import socket
import subprocess
import time

BIN = ".build/release"
PEERS = ".build-support"

# `uring` and `epoll` sleep when they have nothing to do, and have no filter of system calls, as the
# others: then a message costs what its work costs. `default` is how Ringback comes, on io_uring, looking
# for events before it sleeps.
SERVERS = ["uring", "default", "epoll", "c-epoll", "go", "go-splice", "nio"]

# What stands in the tables for them.
TITLES = {
    "uring": "ringback, io_uring",
    "default": "the same, busy polling",
    "epoll": "ringback, epoll",
    "c-epoll": "C, epoll",
    "go": "Go, reads and writes",
    "go-splice": "Go, io.Copy as it is",
    "nio": "SwiftNIO",
    "relay-uring": "ringback, io_uring",
    "relay-epoll": "ringback, epoll",
    "haproxy": "HAProxy",
    "haproxy-splice": "HAProxy, splice",
    "nginx": "nginx",
}


def cpus():
    """The CPUs that this process may use: the first is for servers, the last for the load."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("compare: needs two CPUs, one for the server and one for the load")
    return allowed


def free_port():
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def command(name, port, options=()):
    if name in ("uring", "default", "epoll"):
        backend = "epoll" if name == "epoll" else "uring"
        asleep = [] if name == "default" else ["--busy-poll", "off", "--seccomp", "off"]
        return [
            f"{BIN}/ringback", "echo", "--backend", backend, "--listen", f"127.0.0.1:{port}",
            *(options or ["--workers", "1", *asleep]),
        ]
    if name == "c-uring":
        return [f"{PEERS}/uring-echo", str(port), *options]
    if name == "c-epoll":
        return [f"{PEERS}/epoll-echo", str(port)]
    if name in ("go", "go-splice"):
        mode = ["read"] if name == "go" else []
        return [f"{PEERS}/go-echo", f"127.0.0.1:{port}", *mode]
    return [f"{PEERS}/nio-echo/release/nio-echo", str(port)]


class Server:
    """A running server; ends with the `with` that it is used in. `command` makes its command line of
    its name, its port and the options."""

    def __init__(self, name, options=(), cpu_list=None, command=command):
        self.port = free_port()
        pinned = cpu_list or [cpus()[0]]
        self.process = subprocess.Popen(
            command(name, self.port, options),
            env=dict(os.environ, GOMAXPROCS="1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, pinned),
        )
        self.pid = self.process.pid
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.process.kill()
        raise SystemExit(f"compare: {name} does not start: {self.process.stderr.read().decode()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise SystemExit("compare: the server has ended")
