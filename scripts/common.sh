# shellcheck shell=bash
# What the scripts that measure share. Sourced with the project's root as the working folder.

bin=.build/release
work=$(mktemp -d)
server=""
trap '[[ -n $server ]] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
read -ra cpus < <(taskset -pc $$ | sed 's/.*: //; s/[,-]/ /g')
server_cpu=${cpus[0]}
load_cpu=${cpus[${#cpus[@]} - 1]}

# start_ringback BACKEND: on a port that the kernel chooses; sets `server` and `port`.
start_ringback() {
    : >"$work/log"
    taskset -c "$server_cpu" "$bin/ringback" echo --backend "$1" --workers 1 \
        --listen 127.0.0.1:0 2>"$work/log" &
    server=$!
    port=""
    for _ in $(seq 200); do
        port=$(sed -n 's/.*echo on 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$work/log")
        [[ -n $port ]] && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.02
    done
    cat "$work/log" >&2
    return 1
}

stop_server() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=""
}

# field FILE SECTION KEY: a value of a report of ringload; SECTION is empty for a top-level key.
field() {
    awk -v section="$2" -v key="\"$3\"" '
        section == "" || index($0, "\"" section "\"") { found = 1 }
        found && index($0, key) { gsub(/[ ",]/, ""); sub(/.*:/, ""); print; exit }' "$1"
}

# verdict FILE: lost, foreign and reordered bytes.
verdict() {
    echo "$(field "$1" integrity lost) / $(field "$1" integrity foreign) / $(field "$1" integrity reordered)"
}
