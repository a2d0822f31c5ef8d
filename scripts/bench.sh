#!/usr/bin/env bash
# Compares the two backends with a minimal C epoll server: interleaved runs, server and load each
# pinned to a core of its own. Prints medians and ratios as Markdown; see Benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${ROUNDS:-7}
duration=${DURATION:-2s}
shapes=${SHAPES:-"64:50:1 64:400:1 16k:50:1 256k:8:1"}
servers=(uring epoll c-epoll)
bin=.build/release
peer=.build-support/epoll-echo
work=$(mktemp -d)
server=""
trap '[[ -n $server ]] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cpus=($(taskset -pc $$ | sed 's/.*: //; s/[,-]/ /g'))
((${#cpus[@]} >= 2)) || { echo "bench: needs two CPUs" >&2; exit 1; }

start() { # name port
    case $1 in
        c-epoll) taskset -c "${cpus[0]}" "$peer" "$2" & ;;
        *) taskset -c "${cpus[0]}" "$bin/ringback" echo --backend "$1" --workers 1 --listen "127.0.0.1:$2" \
               2>>"$work/log" & ;;
    esac
    server=$!
    for _ in $(seq 100); do
        nc -z 127.0.0.1 "$2" 2>/dev/null && return
        sleep 0.02
    done
    echo "bench: $1 does not answer" >&2
    exit 1
}

port=18800
for round in $(seq "$rounds"); do
    for shape in $shapes; do
        IFS=: read -r size connections depth <<<"$shape"
        for name in "${servers[@]}"; do
            port=$((port + 1))
            start "$name" "$port"
            taskset -c "${cpus[1]}" "$bin/ringload" rr "127.0.0.1:$port" --size "$size" \
                --connections "$connections" --depth "$depth" --duration "$duration" --warmup 500ms \
                --server-pid "$server" --json "$work/$name-$shape-$round.json" >/dev/null
            # The speed means nothing if a byte went astray: a short checked run beside it.
            if ((round == 1)); then
                "$bin/ringload" rr "127.0.0.1:$port" --size "$size" --connections "$connections" \
                    --depth "$depth" --duration 500ms --warmup 100ms --verify --half-close \
                    --json "$work/$name-$shape-integrity.json" >/dev/null || true
            fi
            kill "$server" 2>/dev/null
            wait "$server" 2>/dev/null || true
            server=""
        done
        echo "round $round of $rounds: $shape" >&2
    done
done

field() { # file key: the first value of a key in a JSON file
    awk -F ': *|,' -v key="\"$2\"" '$0 ~ key {gsub(/[ "]/, "", $2); print $2; exit}' "$1"
}
median() { sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
column() { # name shape key
    for round in $(seq "$rounds"); do field "$work/$1-$2-$round.json" "$3"; done | median
}

echo "| shape | server | server CPU ns/message | ratio to C | messages/s | p50 us | p99 us | lost / foreign / reordered |"
echo "|---|---|---|---|---|---|---|---|"
for shape in $shapes; do
    IFS=: read -r size connections depth <<<"$shape"
    base=$(column c-epoll "$shape" server_cpu_ns_per_message)
    for name in "${servers[@]}"; do
        checked="$work/$name-$shape-integrity.json"
        cost=$(column "$name" "$shape" server_cpu_ns_per_message)
        awk -v shape="$size x $connections, depth $depth" -v name="$name" -v cost="$cost" -v base="$base" \
            -v rate="$(column "$name" "$shape" messages_per_second)" \
            -v p50="$(column "$name" "$shape" p50)" -v p99="$(column "$name" "$shape" p99)" \
            -v verdict="$(field "$checked" lost) / $(field "$checked" foreign) / $(field "$checked" reordered)" \
            'BEGIN {printf "| %s | %s | %.0f | %.3f | %.0f | %.1f | %.1f | %s |\n",
                    shape, name, cost, cost / base, rate, p50 / 1000, p99 / 1000, verdict}'
    done
done
