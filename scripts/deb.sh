#!/usr/bin/env bash
# Makes the Debian package of the executables that scripts/static.sh has built, and prints its name.
set -euo pipefail
cd "$(dirname "$0")/.."

binaries=$PWD/.build-static/release
parts=$PWD/deploy/debian
tree=$PWD/.build-support/deb
version=$(dpkg-parsechangelog --file "$parts/changelog" --show-field Version)
architecture=$(dpkg --print-architecture)
# Two builds of one version are the same file.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --file "$parts/changelog" --show-field Timestamp)
export SOURCE_DATE_EPOCH
umask 022

rm -rf "$tree"
share=$tree/usr/share
for program in ringback ringload; do
    [[ $("$binaries/$program" --version) == "$version" ]] || {
        echo "deb: the version of $program is not that of deploy/debian/changelog" >&2
        exit 1
    }
    install -D --strip "$binaries/$program" "$tree/usr/bin/$program"
    mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/vendor-completions} \
        "$share/fish/vendor_completions.d"
    other=ringload
    [[ $program == ringback ]] || other=ringback
    "$binaries/$program" --experimental-dump-help |
        scripts/man-page.py "$(date --utc --date "@$SOURCE_DATE_EPOCH" +%F)" "$other" |
        gzip --best --no-name >"$share/man/man1/$program.1.gz"
    # What is sourced has no interpreter of its own.
    complete() { "$binaries/$program" --generate-completion-script "$1" | sed '1{/^#!/d}'; }
    complete bash >"$share/bash-completion/completions/$program"
    complete zsh >"$share/zsh/vendor-completions/_$program"
    complete fish >"$share/fish/vendor_completions.d/$program.fish"
done

documents=$share/doc/ringback
install -D --mode 644 --target-directory "$tree/lib/systemd/system" deploy/systemd/ringback.*
install -D --mode 644 "$parts/ringback.yaml" "$tree/etc/ringback/ringback.yaml"
install -D --mode 644 --target-directory "$documents" "$parts/copyright" docs/Deploy.md Tuning.md
install -D --mode 644 --target-directory "$documents/examples" deploy/seccomp/ringback.json \
    deploy/prometheus/rules.yaml
install -D --mode 644 deploy/grafana/ringback.json "$documents/examples/grafana.json"
install -D --mode 644 "$parts/lintian-overrides" "$share/lintian/overrides/ringback"
gzip --best --no-name <"$parts/changelog" >"$documents/changelog.gz"
gzip --best --no-name "$documents"/{Deploy,Tuning}.md

# What the executables need of the C library, by the symbols that they use.
mkdir "$tree/DEBIAN"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debian"
printf 'Source: ringback\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$tree"/usr/bin/* | sed 's/^shlibs:Depends=//')

size=$(du --summarize --exclude DEBIAN --apparent-size --block-size 1K "$tree" | cut -f 1)
sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" \
    -e "s/@DEPENDS@/$depends/" "$parts/control" >"$tree/DEBIAN/control"
(cd "$tree" && find etc -type f -printf '/%p\n' >DEBIAN/conffiles)
(cd "$tree" && find usr lib -type f -exec md5sum {} + | sort --key 2 >DEBIAN/md5sums)
install --mode 755 --target-directory "$tree/DEBIAN" "$parts"/{postinst,prerm,postrm}

package=.build-support/ringback_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$tree" "$package" >/dev/null
echo "$package"
