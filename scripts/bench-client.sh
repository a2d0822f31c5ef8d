#!/usr/bin/env bash
# Compares what `ringload rr` costs for each message with a minimal C load generator: the same server,
# interleaved runs, server and load each pinned to a CPU of its own. For one connection also with
# sockperf and the server that its own client insists on, where it is installed. Prints medians, and
# the median of the ratios of each round, as Markdown; see Benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

rounds=${ROUNDS:-7}
seconds=${SECONDS_EACH:-2}
shapes=${SHAPES:-"64:50 64:400 64:1"}
((${#cpus[@]} >= 2)) || { echo "bench-client: needs two CPUs" >&2; exit 1; }

# load NAME BYTES CONNECTIONS: prints messages per second, CPU ns per message, median latency in ns.
load() {
    case $1 in
    c-epoll) taskset -c "$load_cpu" .build-support/epoll-client "$port" "$3" "$2" "$seconds" | cut -d' ' -f2- ;;
    sockperf) sockperf_load "$2" ;;
    *)
        taskset -c "$load_cpu" "$bin/ringload" rr "127.0.0.1:$port" --backend "$1" --busy-poll off --size "$2" --connections "$3" \
            --duration "${seconds}s" --warmup 500ms --json "$work/report" >/dev/null
        echo "$(field "$work/report" "" messages_per_second) $(field "$work/report" client cpu_ns_per_message)" \
            "$(field "$work/report" latency_ns p50)"
        ;;
    esac
}

# sockperf halves the round trip, and reports its CPU time not at all: bash's `time` does. Its client
# counts only answers that its server has marked, which takes the place of ours.
sockperf_load() {
    stop_server
    taskset -c "$server_cpu" sockperf server --tcp -i 127.0.0.1 -p "$port" >/dev/null 2>&1 &
    server=$!
    sleep 0.3
    TIMEFORMAT='%U %S'
    { time taskset -c "$load_cpu" sockperf ping-pong -i 127.0.0.1 -p "$port" --tcp -m "$1" -t "$seconds" \
        >"$work/sockperf" 2>&1; } 2>"$work/time"
    awk -v seconds="$seconds" 'FNR == NR { cpu = ($1 + $2) * 1e9; next }
        /\[Total Run\]/ { sub(/.*ReceivedMessages=/, ""); count = $1 }
        /percentile 50.000/ { p50 = $NF * 2000 }
        END { printf "%.0f %.0f %.0f\n", count / seconds, cpu / count, p50 }' "$work/time" "$work/sockperf"
}

median() {
    sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

for round in $(seq "$rounds"); do
    for shape in $shapes; do
        IFS=: read -r bytes connections <<<"$shape"
        loads="c-epoll uring epoll"
        if [[ $connections == 1 ]] && command -v sockperf >/dev/null; then loads+=" sockperf"; fi
        start_ringback uring
        for name in $loads; do load "$name" "$bytes" "$connections" >>"$work/$name-$shape"; done
        stop_server
        echo "round $round of $rounds: $shape" >&2
    done
done

echo "Server CPU $server_cpu, load CPU $load_cpu, $rounds rounds of $seconds s, $(date -u +%F)," \
    "kernel $(uname -r), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo
echo "| load | load generator | its CPU ns/message | median ratio to C (least, most) | messages/s | p50 us |"
echo "|---|---|---|---|---|---|"
for shape in $shapes; do
    for name in c-epoll uring epoll sockperf; do
        [[ -e $work/$name-$shape ]] || continue
        paste -d' ' "$work/c-epoll-$shape" "$work/$name-$shape" | awk '{print $5 / $2}' | sort -g >"$work/ratios"
        awk -v shape="${shape/:/ B x }" -v name="$name" -v ratio="$(median <"$work/ratios")" \
            -v least="$(head -n 1 "$work/ratios")" -v most="$(tail -n 1 "$work/ratios")" \
            -v rate="$(cut -d' ' -f1 "$work/$name-$shape" | median)" \
            -v cost="$(cut -d' ' -f2 "$work/$name-$shape" | median)" \
            -v p50="$(cut -d' ' -f3 "$work/$name-$shape" | median)" \
            'BEGIN {printf "| %s | %s | %.0f | %.3f (%.3f, %.3f) | %.0f | %.1f |\n",
                shape, name, cost, ratio, least, most, rate, p50 / 1000}'
    done
done
