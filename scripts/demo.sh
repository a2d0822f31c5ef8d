#!/usr/bin/env bash
# Starts the server on each backend in turn, loads it, and prints both side by side. Server and load
# are pinned to different CPUs where there are two.
set -euo pipefail
cd "$(dirname "$0")/.."

duration=${DURATION:-3s}
source scripts/common.sh

shapes=("64:50" "64:400" "16k:50")
for backend in uring epoll; do
    start_ringback "$backend" || { server=""; echo "demo: $backend is not to be had here" >&2; continue; }
    for shape in "${shapes[@]}"; do
        IFS=: read -r size connections <<<"$shape"
        echo "loading $backend with $connections connections of $size ..." >&2
        taskset -c "$load_cpu" "$bin/ringload" rr "127.0.0.1:$port" --size "$size" \
            --connections "$connections" --duration "$duration" --warmup 500ms --verify --half-close \
            --server-pid "$server" --json "$work/$backend-$shape.json" >/dev/null
    done
    stop_server
done

printf '\n%-22s %-7s %12s %10s %10s %14s %s\n' \
    load server messages/s "p50 us" "p99 us" "server ns/msg" "lost / foreign / reordered"
for shape in "${shapes[@]}"; do
    IFS=: read -r size connections <<<"$shape"
    for backend in uring epoll; do
        report="$work/$backend-$shape.json"
        [[ -s $report ]] || continue
        awk -v load="$connections x $size, checked" -v backend="$backend" \
            -v rate="$(field "$report" "" messages_per_second)" \
            -v p50="$(field "$report" latency_ns p50)" -v p99="$(field "$report" latency_ns p99)" \
            -v cost="$(field "$report" server cpu_ns_per_message)" \
            -v verdict="$(verdict "$report")" \
            'BEGIN { printf "%-22s %-7s %12.0f %10.1f %10.1f %14.0f %s\n",
                     load, backend, rate, p50 / 1000, p99 / 1000, cost, verdict }'
    done
done
