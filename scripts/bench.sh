#!/usr/bin/env bash
# Compares the two backends with a minimal C epoll server: interleaved runs, server and load each
# pinned to a CPU of its own. Prints medians and ratios as Markdown; see Benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

rounds=${ROUNDS:-7}
duration=${DURATION:-2s}
shapes=${SHAPES:-"64:50:1 64:400:1 16k:50:1 256k:8:1"}
servers=(uring epoll c-epoll)
((${#cpus[@]} >= 2)) || { echo "bench: needs two CPUs" >&2; exit 1; }

# start NAME: sets `server` and `port`.
start() {
    [[ $1 != c-epoll ]] && { start_ringback "$1"; return; }
    port=$((20000 + RANDOM % 10000))
    taskset -c "$server_cpu" .build-support/epoll-echo "$port" &
    server=$!
    for _ in $(seq 200); do
        nc -z 127.0.0.1 "$port" 2>/dev/null && return
        sleep 0.02
    done
    return 1
}

for round in $(seq "$rounds"); do
    for shape in $shapes; do
        IFS=: read -r size connections depth <<<"$shape"
        for name in "${servers[@]}"; do
            start "$name"
            load=("$bin/ringload" rr "127.0.0.1:$port" --size "$size" --connections "$connections" --depth "$depth")
            taskset -c "$load_cpu" "${load[@]}" --duration "$duration" --warmup 500ms \
                --server-pid "$server" --json "$work/$name-$shape-$round.json" >/dev/null
            # The speed means nothing if a byte went astray: a checked run beside the first.
            if ((round == 1)); then
                "${load[@]}" --duration 500ms --warmup 100ms --verify --half-close \
                    --json "$work/$name-$shape-checked.json" >/dev/null || true
            fi
            stop_server
        done
        echo "round $round of $rounds: $shape" >&2
    done
done

median() {
    sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}
# column NAME SHAPE SECTION KEY: the median of a value over all rounds.
column() {
    for round in $(seq "$rounds"); do field "$work/$1-$2-$round.json" "$3" "$4"; done | median
}

echo "Server CPU $server_cpu, load CPU $load_cpu, $rounds rounds of $duration, $(date -u +%F)," \
    "kernel $(uname -r), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo
echo "| load | server | server CPU ns/message | ratio to C | ratio to epoll | messages/s | p50 us | p99 us | lost / foreign / reordered |"
echo "|---|---|---|---|---|---|---|---|---|"
for shape in $shapes; do
    IFS=: read -r size connections depth <<<"$shape"
    for name in "${servers[@]}"; do
        awk -v shape="$size x $connections, depth $depth" -v name="$name" \
            -v cost="$(column "$name" "$shape" server cpu_ns_per_message)" \
            -v c="$(column c-epoll "$shape" server cpu_ns_per_message)" \
            -v epoll="$(column epoll "$shape" server cpu_ns_per_message)" \
            -v rate="$(column "$name" "$shape" "" messages_per_second)" \
            -v p50="$(column "$name" "$shape" latency_ns p50)" \
            -v p99="$(column "$name" "$shape" latency_ns p99)" \
            -v verdict="$(verdict "$work/$name-$shape-checked.json")" \
            'BEGIN {printf "| %s | %s | %.0f | %.3f | %.3f | %.0f | %.1f | %.1f | %s |\n",
                    shape, name, cost, cost / c, cost / epoll, rate, p50 / 1000, p99 / 1000, verdict}'
    done
done
