#!/bin/bash
# What an upgrade (SIGUSR2) costs those who are connected: how long 10,000 connections take to go to
# the successor, and the longest that anybody waited for an answer, beside a run without an upgrade.
# Needs the release executables, and a limit on descriptors of 20,000.
set -euo pipefail
cd "$(dirname "$0")/.."
ulimit -n 20000
bin=.build/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run NAME BACKEND UPGRADES ARGUMENTS...: the load of ringload, and upgrades from its second second on.
run() {
    local name=$1 backend=$2 upgrades=$3 port pid
    shift 3
    port=$((20000 + RANDOM % 10000))
    "$bin/ringback" echo --listen "127.0.0.1:$port" --backend "$backend" --max-connections 12000 \
        2>"$work/log" &
    pid=$!
    until grep -q 'try: nc' "$work/log"; do sleep 0.05; done
    "$bin/ringload" "$1" "127.0.0.1:$port" "${@:2}" --verify --json "$work/json" >"$work/out" 2>&1 &
    local load=$!
    sleep 3
    for ((i = 1; i <= upgrades; i++)); do
        kill -USR2 "$pid"
        until [ "$(grep -c 'takes over' "$work/log")" -ge "$i" ]; do sleep 0.02; done
        pid=$(grep -o 'process [0-9]* takes over' "$work/log" | tail -1 | grep -o '[0-9]*')
        sleep 0.5
    done
    wait "$load" || true
    kill "$pid"
    until ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    echo "$name, $backend, $upgrades upgrades:" \
        "$(grep -o '[0-9]* connections handed over in [0-9]* ms' "$work/log" | tr '\n' ';')"
    grep -E 'latency|response|errors|integrity|silence' "$work/out" | sed 's/^/    /'
}

# With upgrades, and without.
for upgrades in 1 0; do
    for backend in uring epoll; do
        run 'held' "$backend" "$upgrades" idle --connections 10000 --active 50 --every 10ms \
            --duration 6s
        run 'busy' "$backend" "$((upgrades * 4))" rr --connections 50 --duration 6s
    done
done
