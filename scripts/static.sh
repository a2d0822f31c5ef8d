#!/usr/bin/env bash
# Builds the release executables that are named so that they need no library but the C library's: those of
# Swift, and liburing, zlib, the C++ and GCC's libraries are inside. Into .build-static, since the flags
# differ.
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder with archives alone, which is searched before the one that has shared libraries too. The
# description is pkg-config's, by which the package finds liburing.
archives=$PWD/.build-support/static
mkdir -p "$archives"
for name in liburing libz libstdc++; do
    ln -sf "$(cc -print-file-name=$name.a)" "$archives/"
done
printf '%s\n' 'Name: liburing' 'Description: io_uring' 'Version: 2.3' 'Cflags: -I/usr/include' \
    "Libs: -L$archives -luring" >"$archives/liburing.pc"

# mktemp is called by Foundation, in a function that nothing here calls.
for product in "$@"; do
    PKG_CONFIG_PATH=$archives swift build -c release --scratch-path .build-static \
        --static-swift-stdlib -Xswiftc -Xclang-linker -Xswiftc -static-libgcc --product "$product"
done

for product in "$@"; do
    needed=$(objdump --private-headers ".build-static/release/$product" |
        awk '$1 == "NEEDED" && $2 !~ /^(libc|libm|ld-linux-.*)\.so/ { print $2 }')
    if [[ -n $needed ]]; then
        echo "static: $product still needs" $needed >&2
        exit 1
    fi
done
