#!/usr/bin/env bash
# Installs the Debian packages that are missing, without asking; with `relays` those of the relays that
# ours is compared with, with `deploy` those that make and check what is in deploy/. Says plainly what to do
# where it may not install.
set -euo pipefail

# command or file that shows the package is there : package
needs=(
    "/usr/include/liburing.h:liburing-dev"
    "/usr/include/zlib.h:zlib1g-dev"
    "nc:netcat-openbsd"
    "strace:strace"
    "valgrind:valgrind"
    "cc:gcc"
    "python3:python3"
    "ss:iproute2"
    "jq:jq"
    "setpriv:util-linux"
    "ncat:ncat"
    "socat:socat"
    "go:golang-go"
    "chromium:chromium"
    "/usr/share/fonts/truetype/dejavu:fonts-dejavu-core"
)
if [[ ${1:-} == relays ]]; then
    needs=(
        "haproxy:haproxy"
        "nginx:nginx-light"
        "/usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream"
    )
elif [[ ${1:-} == deploy ]]; then
    needs=(
        "dpkg-shlibdeps:dpkg-dev"
        "objdump:binutils"
        "systemd-analyze:systemd"
        "lintian:lintian"
        "man:man-db"
        "col:bsdextrautils"
        "/usr/share/doc/python3-venv:python3-venv"
    )
fi

missing=()
for need in "${needs[@]}"; do
    sign=${need%%:*}
    package=${need##*:}
    [[ -e $sign ]] || command -v "$sign" >/dev/null 2>&1 || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    else
        echo "setup: ${missing[*]} missing and this user may not install; run as root:" >&2
        echo "  apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi

# They are to be there, not to run: with this, Debian's packages start no service.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy && -d ${policy%/*} ]]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
update=("${apt[@]}" update)
echo "setup: installing ${missing[*]}" >&2
"${install[@]}" >/dev/null 2>&1 || { "${update[@]}" && "${install[@]}" >/dev/null; } || {
    echo "setup: could not install ${missing[*]}; try: apt-get install ${missing[*]}" >&2
    exit 1
}
