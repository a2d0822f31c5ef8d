#!/usr/bin/env bash
# Counts the instructions that the engine and its ideal kernel take for a message, and fails where they
# have changed: exact where time is noise. The count of a run is taken from that of one twice as long, so
# that starting cancels out. `--record` takes the present counts as what is allowed.
set -euo pipefail
cd "$(dirname "$0")/.."

recorded=Benchmarks/micro/instructions.txt
tolerance=3 # percent: what a compiler's update may change, too
messages=20000
turns=.build-micro/turns

swift build -c release --package-path Benchmarks/micro --scratch-path .build-micro --product turns 2>&1 |
    grep -E "error|warning|Build" | tail -n 1
# Valgrind 3.19 gives up on this compiler's debugging information.
strip -g -o "$turns" .build-micro/release/turns

# count BACKEND WORKLOAD MESSAGES
count() {
    # Nothing of the environment: its size moves the stack, and alignment moves counts.
    env -i "$(command -v valgrind)" --tool=callgrind --callgrind-out-file=/dev/null "$turns" "$@" \
        2>&1 </dev/null | sed -n 's/.*Collected : //p'
}

failed=0
[[ ${1:-} == --record ]] && : >"$recorded"
while read -r backend workload; do
    once=$(count "$backend" "$workload" "$messages")
    twice=$(count "$backend" "$workload" $((2 * messages)))
    now=$(((twice - once) / messages))
    if [[ ${1:-} == --record ]]; then
        echo "$backend $workload $now" >>"$recorded"
        echo "instructions: $backend $workload: $now a message"
        continue
    fi
    allowed=$(sed -n "s/^$backend $workload //p" "$recorded")
    # What has become cheaper is recorded too, or it would be room to become dearer unnoticed.
    if ((now * 100 > allowed * (100 + tolerance) || now * 100 < allowed * (100 - tolerance))); then
        echo "instructions: $backend $workload takes $now a message, $allowed were recorded: find out" \
            "why, or take it with scripts/instruction-gate.sh --record" >&2
        failed=1
    else
        echo "instructions: $backend $workload: $now a message, $allowed recorded"
    fi
done <<'EOF'
uring echo
uring pipelined
uring churn
epoll echo
epoll pipelined
epoll churn
EOF
exit "$failed"
