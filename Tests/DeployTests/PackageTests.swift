// The Debian package: what lintian says of it, and what becomes of a system on which it is
// installed, used, removed and purged. The system is this one, under a layer that goes away: what
// dpkg does is then done for real, and what it leaves behind is what is in the layer.

import Foundation
import Support
import Testing

/// The package that `make deb` makes.
private enum Package {
    static let path =
        (try? FileManager.default.contentsOfDirectory(
            atPath: Place.root + "/.build-support"
        ))?.first { $0.hasPrefix("ringback_") && $0.hasSuffix(".deb") }
        .map { Place.root + "/.build-support/" + $0 }

    /// Layers and namespaces of mounts are root's.
    static var canBeInstalled: Bool { path != nil && getuid() == 0 }
}

@Suite(.enabled(if: Package.path != nil, "make deb has not run"))
struct PackageTests {
    private let package = Package.path ?? ""

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/lintian")))
    func lintianFindsNothing() throws {
        let ended = try Program.shell(
            "lintian --allow-root --fail-on error,warning --tag-display-limit 0 \(package) 2>&1"
        )
        #expect(ended.status == 0, "\(ended.output)")
    }

    /// The C library and its mathematics are all that the programs need of others.
    @Test func nothingButTheCLibraryIsNeeded() throws {
        let depends = try Program.run("dpkg-deb", "--field", package, "Depends").output
        #expect(depends.wholeMatch(of: /libc6 \([^)]*\), init-system-helpers \([^)]*\)\n/) != nil)
    }

    @Test func everyOptionIsInTheManual() throws {
        let folder = try TemporaryFolder()
        _ = try Program.run("dpkg-deb", "--extract", package, folder.path)
        for program in ["ringback", "ringload"] {
            let page = try Program.shell(
                "man --warnings --encoding=UTF-8 "
                    + "--local-file \(folder.path)/usr/share/man/man1/\(program).1.gz | col -bx"
            )
            #expect(page.errors == "")
            let bare = folder.path + "/usr/bin/" + program
            let help = try Program.shell("\(bare) --experimental-dump-help")
            let options = help.output.matches(of: /"kind" ?: ?"long",\s*"name" ?: ?"([a-z-]+)"/)
                .map { "--" + $0.output.1 }
            #expect(options.count > 40)
            #expect(Set(options).filter { !page.output.contains($0) } == [])
        }
    }

    /// Installs, uses, removes and purges; prints what the layer holds after each step.
    private static let script = """
        set -euo pipefail
        package=$1 layer=$(mktemp -d)
        mount -t tmpfs layer "$layer"
        mkdir "$layer"/{changed,work,root}
        mount -t overlay layer "$layer/root" \\
            -o "lowerdir=/,upperdir=$layer/changed,workdir=$layer/work"
        root=$layer/root
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        mount -t tmpfs run "$root/run"
        cp "$package" "$root/tmp/ringback.deb"
        within() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
        # Of the layer, what is neither dpkg's own nor a log.
        changed() {
            (cd "$layer/changed" && find . ! -type d ! -path './var/lib/dpkg/*' \\
                ! -path './var/cache/*' ! -path './var/log/*' ! -path './tmp/*' \\
                -printf '%P\\n' | sort)
        }
        within dpkg --purge ringback >/dev/null 2>&1 || true
        echo "# installed"; within dpkg --install /tmp/ringback.deb >/dev/null; changed
        echo "# verified"
        within systemd-analyze verify ringback.service ringback.socket 2>&1
        echo "# version"; within ringback --version; within ringload --version
        echo "# echo"
        chroot "$root" setpriv --reuid 65534 --regid 65534 --clear-groups \\
            /usr/bin/ringback echo --listen 127.0.0.1:0 2>"$layer/said" &
        server=$!
        trap 'kill $server 2>/dev/null || true' EXIT
        for _ in {1..100}; do grep -q 'echo on' "$layer/said" && break; sleep 0.05; done
        port=$(grep -oP 'echo on [0-9.]+:\\K[0-9]+' "$layer/said")
        printf 'hello\\n' | within nc -N 127.0.0.1 "$port"
        kill -TERM $server; wait $server
        echo "# removed"; within dpkg --remove ringback >/dev/null 2>&1; changed
        echo "# purged"; within dpkg --purge ringback >/dev/null 2>&1; changed
        """

    @Test(.enabled(if: Package.canBeInstalled, "only root may mount"))
    func itIsInstalledUsedAndRemoved() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Self.script, to: "install.sh")
        let program = try Program(["unshare", "--mount", "bash", path, package])
        let ended = try program.wait(seconds: 60)
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        let parts = ended.output.split(separator: "# ").map { part in
            part.split(separator: "\n").map(String.init)
        }
        let steps = Dictionary(parts.map { ($0[0], Array($0.dropFirst())) }) { $1 }

        let configuration = "etc/ringback/ringback.yaml"
        let enabled = "etc/systemd/system/multi-user.target.wants/ringback.service"
        let installed = Set(steps["installed"] ?? [])
        #expect(
            installed.isSuperset(of: [
                configuration, enabled, "usr/bin/ringback", "usr/bin/ringload",
                "usr/share/man/man1/ringback.1.gz",
                "usr/share/bash-completion/completions/ringback",
            ]),
            "\(installed)"
        )
        #expect(steps["verified"] == [])
        let version = try Program.run("dpkg-deb", "--field", package, "Version").output
        #expect(steps["version"]?.map { $0 + "\n" } == [version, version])
        #expect(steps["echo"] == ["hello"])
        // Whether the unit was enabled stays too, as systemd notes it.
        let kept = steps["removed"]?.filter { !$0.hasPrefix("var/lib/systemd/") }
        #expect(kept == [configuration, enabled])
        #expect(steps["purged"] == [])
    }
}
