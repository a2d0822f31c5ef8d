#!/usr/bin/env bash
# Disassembles the release server and fails where a hot function makes a call that it must not:
# reference counting, allocation, exclusivity checks, lazy initialisation, witness look-ups, dynamic
# casts, unspecialised generic code. Also fails where the loop is not one specialised body.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:-.build-static/release/ringback}
tools=$(dirname "$(readlink -f "$(command -v swift)")")
hot='turn|produce|feedStarved|drop|starved|receiveIfWanted|receiveAgain|receiveStopped|finishIfDrained|closeIfIdle|send|sent|received'
forbidden='swift_(retain|release|bridgeObject|allocObject|dealloc|beginAccess|endAccess|once|getWitnessTable|getAssociated|dynamicCast|getGenericMetadata|getTypeByMangled)|[Ww]itness|metadata accessor|(call|jmp)[a-z]*[[:space:]]+\*'

# The size of every symbol: a function without a symbol of its own would otherwise be taken for the
# end of the one before it.
sizes=$("$tools/llvm-nm" --print-size --defined-only "$binary" | awk 'NF == 4 {print $1, $2}')

# A line for each call or jump of a hot function: "driver function: instruction".
listing=$({ echo "$sizes"; "$tools/llvm-objdump" -d --no-show-raw-insn "$binary" | "$tools/swift-demangle"; } |
    awk -v hot="^($hot)$" '
        function number(hex,  i, n) {
            n = 0
            for (i = 1; i <= length(hex); i++) n = n * 16 + index("123456789abcdef", substr(hex, i, 1))
            return n
        }
        NF == 2 && /^[0-9a-f]+ [0-9a-f]+$/ { size[number($1)] = number($2); next }
        / <.*>:$/ {
            name = ""
            if ($0 ~ /generic specialization <.*EchoService> of .*Engine\.Worker</) {
                driver = $0 ~ /UringDriver/ ? "uring" : "epoll"
                called = $0
                sub(/.*Swift\.Copyable>\./, "", called)  # what follows the generic clause
                sub(/^\(/, "", called)                    # private names stand in parentheses
                sub(/[ (].*/, "", called)
                if (called ~ hot) { name = driver " " called; end = number($1) + size[number($1)] }
            }
            next
        }
        name != "" && /call|jmp/ {
            address = $1
            sub(/:$/, "", address)
            if (number(address) < end) print name ": " $0
        }')

status=0
for driver in uring epoll; do
    if ! grep -q "^$driver turn: " <<<"$listing"; then
        echo "codegen: there is no specialised turn for $driver" >&2
        status=1
    fi
done
# Jumps through a table inside a function are how a switch is compiled, not a call.
offences=$(grep -E "$forbidden" <<<"$listing" | grep -vE 'jmp[a-z]*[[:space:]]+\*%r' || true)
if [[ -n $offences ]]; then
    echo "codegen: hot functions must not make these calls:" >&2
    sed -E 's/[ \t]+/ /g' <<<"$offences" | sort | uniq -c >&2
    status=1
fi
functions=$(cut -d: -f1 <<<"$listing" | sort -u | wc -l)
((status)) || echo "codegen: $functions hot functions of both drivers are clean"
exit $status
