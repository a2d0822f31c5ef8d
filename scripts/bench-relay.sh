#!/usr/bin/env bash
# Compares the relay on both backends with HAProxy, with and without splice, and with nginx's stream
# module: interleaved runs, the relay alone on one CPU, upstream and load on another. Prints medians
# and ratios as Markdown; see Benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

rounds=${ROUNDS:-7}
duration=${DURATION:-2s}
pairs=${PAIRS:-4000}
relays=(uring epoll haproxy haproxy-splice nginx)
# shape:the most that io_uring may cost, as a share of the better of HAProxy and nginx
shapes=${SHAPES:-"64x50:0.80 16kx20:0.75 256kx8:0.50 churn:0.80"}
((${#cpus[@]} >= 2)) || { echo "bench-relay: needs two CPUs" >&2; exit 1; }

free_port() {
    local candidate
    while candidate=$((20000 + RANDOM % 10000)); do
        nc -z 127.0.0.1 "$candidate" 2>/dev/null || { echo "$candidate"; return; }
    done
}

# The upstream stays up for all of it.
taskset -c "$load_cpu" "$bin/ringback" echo --workers 1 --busy-poll off --listen 127.0.0.1:0 2>"$work/upstream" &
upstream=$!
trap 'kill "$upstream" $server 2>/dev/null; rm -rf "$work"' EXIT
upstream_port=""
while [[ -z $upstream_port ]]; do
    sleep 0.02
    upstream_port=$(sed -n 's/.*echo on 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$work/upstream")
done

# start NAME: sets `server` and `port`.
start() {
    port=$(free_port)
    case $1 in
    haproxy*)
        cat >"$work/haproxy.cfg" <<EOF
global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
$([[ $1 == haproxy-splice ]] && echo '    option splice-auto')
listen relay
    bind 127.0.0.1:$port backlog 4096
    server upstream 127.0.0.1:$upstream_port
EOF
        command=(haproxy -db -f "$work/haproxy.cfg")
        ;;
    nginx)
        cat >"$work/nginx.conf" <<EOF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
stream { server { listen 127.0.0.1:$port backlog=4096; proxy_pass 127.0.0.1:$upstream_port; proxy_timeout 1h; } }
EOF
        command=(nginx -c "$work/nginx.conf")
        ;;
    *)
        command=("$bin/ringback" relay --backend "$1" --workers 1 --busy-poll off --listen "127.0.0.1:$port"
            --to "127.0.0.1:$upstream_port")
        ;;
    esac
    taskset -c "$server_cpu" "${command[@]}" >"$work/log" 2>&1 &
    server=$!
    for _ in $(seq 200); do
        nc -z 127.0.0.1 "$port" 2>/dev/null && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.02
    done
    cat "$work/log" >&2
    return 1
}

# load PORT REPORT ARGUMENTS...: what is left of the options follows.
load() {
    taskset -c "$load_cpu" "$bin/ringload" "${@:3}" "127.0.0.1:$1" --busy-poll off --verify --json "$2" >/dev/null ||
        echo "bench-relay: ringload ${*:3} ended with status $?" >&2
}

# run NAME SHAPE REPORT
run() {
    start "$1"
    case $2 in
    churn) arguments=(crr --connections 16 --source 127.0.0.0/8) ;;
    *) arguments=(rr --size "${2%x*}" --connections "${2#*x}") ;;
    esac
    load "$port" "$3" "${arguments[@]}" --duration "$duration" --warmup 300ms --server-pid "$server"
    stop_server
}

for round in $(seq "$rounds"); do
    for shape in $shapes; do
        # Each round begins with another one.
        for place in "${!relays[@]}"; do
            name=${relays[$(((place + round) % ${#relays[@]}))]}
            run "$name" "${shape%:*}" "$work/$name-${shape%:*}-$round"
        done
        echo "round $round of $rounds: ${shape%:*}" >&2
    done
done

median() {
    sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}
# column NAME SHAPE SECTION KEY: a value of each round.
column() {
    for round in $(seq "$rounds"); do field "$work/$1-$2-$round" "$3" "$4"; done
}

echo "Relay CPU $server_cpu, upstream and load CPU $load_cpu, $rounds rounds of $duration, $(date -u +%F)," \
    "kernel $(uname -r), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
    "$(haproxy -v | sed -n 's/HAProxy version \([^ ]*\).*/HAProxy \1/p')," \
    "$(nginx -v 2>&1 | sed 's/.*: //'), commit $(git rev-parse --short HEAD)"
echo
echo "| load | relay | relay CPU us/message | ratio to the better of HAProxy and nginx (least, most) | at most | messages/s | p50 us | p99 us | lost / foreign / reordered |"
echo "|---|---|---|---|---|---|---|---|---|"
for shape in $shapes; do
    bar=${shape#*:}
    shape=${shape%:*}
    for name in "${relays[@]}"; do column "$name" "$shape" server cpu_ns_per_message >"$work/$name"; done
    # Of each round the better of the three, so that what disturbs a round meets both sides.
    paste "$work/haproxy" "$work/haproxy-splice" "$work/nginx" |
        awk '{m = $1; for (i = 2; i <= NF; i++) if ($i < m) m = $i; print m}' >"$work/better"
    for name in "${relays[@]}"; do
        paste "$work/$name" "$work/better" | awk '{print $1 / $2}' | sort -g >"$work/ratios"
        awk -v shape="$shape" -v name="$name" -v cost="$(median <"$work/$name")" \
            -v ratio="$(median <"$work/ratios")" -v least="$(head -n 1 "$work/ratios")" \
            -v most="$(tail -n 1 "$work/ratios")" -v bar="$([[ $name == uring ]] && echo "$bar" || echo -)" \
            -v rate="$(column "$name" "$shape" "" messages_per_second | median)" \
            -v p50="$(column "$name" "$shape" latency_ns p50 | median)" \
            -v p99="$(column "$name" "$shape" latency_ns p99 | median)" \
            -v verdict="$(verdict "$work/$name-$shape-$rounds")" \
            'BEGIN {printf "| %s | %s | %.2f | %.3f (%.3f, %.3f) | %s | %.0f | %.0f | %.0f | %s |\n",
                    shape, name, cost / 1000, ratio, least, most, bar, rate, p50 / 1000, p99 / 1000, verdict}'
    done
done

# ---- what a relay adds to the latency, at half of what the slowest of them carries ----

shape=${shapes%%:*}
rate=$(for name in "${relays[@]}"; do column "$name" "$shape" "" messages_per_second | median; done |
    sort -g | awk 'NR == 1 {printf "%d", $1 / 2}')
echo
echo "Latency of $shape at $rate messages a second, median of $rounds runs; added is beside the upstream itself." \
    "Load and upstream share a CPU, so part of it is their waiting for that, and ringload's audit says so:" \
    "compare the rows, and do not take them for what a network would show."
echo
echo "| through | p50 us | p99 us | added p50 us | added p99 us |"
echo "|---|---|---|---|---|"
for round in $(seq "$rounds"); do
    for name in none "${relays[@]}"; do
        port=$upstream_port
        if [[ $name != none ]]; then start "$name"; fi
        load "$port" "$work/$name-rate-$round" rr --size "${shape%x*}" --connections "${shape#*x}" \
            --rate "$rate" --duration "$duration" --warmup 300ms 2>/dev/null
        if [[ $name != none ]]; then stop_server; fi
    done
done
for name in none "${relays[@]}"; do
    awk -v name="$name" -v p50="$(column "$name" rate latency_ns p50 | median)" \
        -v p99="$(column "$name" rate latency_ns p99 | median)" \
        -v p50_none="$(column none rate latency_ns p50 | median)" \
        -v p99_none="$(column none rate latency_ns p99 | median)" \
        'BEGIN {printf "| %s | %.0f | %.0f | %.0f | %.0f |\n",
                name, p50 / 1000, p99 / 1000, (p50 - p50_none) / 1000, (p99 - p99_none) / 1000}'
done

# ---- memory of pairs that are idle ----

resident() { awk '/^VmRSS/ {print $2 * 1024}' "/proc/$server/status"; }
echo
echo "Memory of the relay's process for each of $pairs idle pairs that have exchanged one message:"
echo
echo "| relay | bytes/pair |"
echo "|---|---|"
for name in "${relays[@]}"; do
    start "$name"
    # One connection first, so that what is taken once is not counted.
    load "$port" "$work/first" rr --size 64 --connections 4 --duration 300ms --warmup 100ms
    before=$(resident)
    taskset -c "$load_cpu" "$bin/ringload" idle "127.0.0.1:$port" --connections "$pairs" --size 64 \
        --ramp 2s --duration 3s --warmup 1s >"$work/idle" 2>&1 &
    idle=$!
    sleep 4.5
    after=$(resident)
    wait "$idle" || true
    stop_server
    echo "| $name | $(((after - before) / pairs)) |"
done
