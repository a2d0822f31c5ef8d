#!/usr/bin/env bash
# The builds that watch memory and threads: `sanitize.sh address|thread FILTER` runs tests in one,
# `sanitize.sh fuzz SECONDS [TARGET...]` runs the fuzz targets, `sanitize.sh keep [TARGET...]` takes
# into the kept corpus what fuzzing has found since. docs/decisions/0009-sanitizers.md says why so.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(dirname "$(readlink -f "$(command -v swift)")")
build=.build-asan seconds=
# Optimised, since most reads of raw memory are inlined and instrumented only then. Assertions stay.
# The coverage is for the fuzzer; the tests share its build, which takes longer than they do.
address=(--scratch-path "$build" --sanitize=address
    -Xswiftc -O -Xswiftc -assert-config -Xswiftc Debug -Xswiftc -DADDRESS_SANITIZER
    -Xswiftc -sanitize-coverage=edge,indirect-calls,trace-cmp,inline-8bit-counters,pc-table)
# Package.swift says what is left out, and why.
thread=(--scratch-path .build-tsan --sanitize=thread)

# Leaks are not looked for: that needs ptrace, which containers refuse.
export ASAN_OPTIONS=detect_leaks=0
# Swift's own backtrace would stop the process that is to end, and ask what to do.
export SWIFT_BACKTRACE=enable=no

run_tests() { # FILTER FLAGS...
    local filter=$1
    shift
    swift build --quiet --build-tests "$@"
    swift test --skip-build --no-parallel "$@" --filter "$filter"
}

build_fuzzer() { # gold warns of each symbol of the sanitizer's that it has made local
    local library
    library=$(echo "$tools"/../lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-"$(uname -m)".a)
    RINGBACK_FUZZ=1 swift build --quiet --product fuzz "${address[@]}" \
        -Xlinker "$library" -Xlinker -lstdc++ 2>&1 |
        { grep -v 'Cannot export local symbol' || true; }
}

fuzz_one() { # TARGET: what is found goes below the build, not into the kept corpus
    local target=$1 log count
    mkdir -p "$build/corpus/$target" "$build/findings"
    log=$build/findings/$target.log
    if "$build/debug/fuzz" "$target" -max_total_time="$seconds" -max_len=1024 -timeout=10 \
        -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$build/findings/$target-" \
        "$build/corpus/$target" "Tests/Fuzz/corpus/$target" >"$log" 2>&1 </dev/null; then
        count=$(awk '/number_of_executed_units/ {print $2}' "$log")
        echo "fuzz: $target: $count inputs, no finding"
    else
        cat "$log" >&2
        echo "fuzz: $target: a finding; see $log, and keep its input in Tests/Fuzz/corpus" >&2
        return 1
    fi
}

keep_one() { # TARGET: as few as reach all that is new
    local log=$build/findings/$1-merge.log
    "$build/debug/fuzz" "$1" -set_cover_merge=1 "Tests/Fuzz/corpus/$1" "$build/corpus/$1" \
        >"$log" 2>&1 </dev/null
    if ! grep -q 'successful in 1 attempt' "$log"; then
        echo "fuzz: $1: not merged; see $log" >&2
        return 1
    fi
    echo "fuzz: $1: $(find "Tests/Fuzz/corpus/$1" -type f | wc -l) inputs kept"
}

kind=${1:?address, thread, fuzz or keep}
shift
case $kind in
address) run_tests "$1" "${address[@]}" ;;
thread)
    export RINGBACK_WITHOUT_LOAD=1
    run_tests "$1" "${thread[@]}"
    ;;
fuzz | keep)
    if [[ $kind == fuzz ]]; then
        seconds=$1
        shift
        build_fuzzer
    fi
    targets=("$@")
    (($#)) || mapfile -t targets < <("$build/debug/fuzz")
    export build seconds
    export -f fuzz_one keep_one
    # Each target is one thread, so as many run at once as there are CPUs.
    printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I '{}' bash -c "${kind}_one {}"
    ;;
*)
    echo "sanitize: there is no '$kind'" >&2
    exit 2
    ;;
esac
