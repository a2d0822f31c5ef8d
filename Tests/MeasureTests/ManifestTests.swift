// On what a run was made, and lines that show how it went.

import Glibc
import Net
import Testing

@testable import Measure

struct ManifestTests {
    /// A folder with files, which is gone afterwards.
    private func withFolder(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let root = "/tmp/ringback-manifest-\(getpid())-\(UInt32.random(in: 0...(.max)))"
        var folders: [String] = []
        defer {
            for file in files.keys { unlink("\(root)/\(file)") }
            for folder in folders.reversed() { rmdir(folder) }
        }
        for (file, text) in files {
            var folder = root
            for part in file.split(separator: "/") {
                if mkdir(folder, 0o700) == 0 { folders.append(folder) }
                folder += "/\(part)"
            }
            let stream = try #require(fopen("\(root)/\(file)", "w"))
            fputs(text, stream)
            fclose(stream)
        }
        try body(root)
    }

    @Test func knowsThisHost() {
        let manifest = Manifest.current(command: ["ringload", "rr"], version: "1.2")
        let host = manifest.host
        #expect(manifest.command == ["ringload", "rr"])
        #expect(manifest.startedAt.wholeMatch(of: /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
        #expect(host["kernel"]?.first?.isNumber == true)
        #expect(host["cpus_allowed"] == CPUSet.allowed().map(String.init).joined(separator: ","))
        #expect((host["memory_mib"].flatMap { Int($0) } ?? 0) > 100)
        #expect((host["cpu_count"].flatMap { Int($0) } ?? 0) >= 1)
        #expect(host["net.core.somaxconn"].flatMap { Int($0) } != nil)
        #expect(host["net.ipv4.ip_local_port_range"]?.split(separator: " ").count == 2)
        #expect(host["descriptors"]?.contains(" of ") == true)
        #expect(host["machine"]?.isEmpty == false)
        let again = Manifest.current(command: ["ringload", "rr"], version: "1.2")
        #expect(manifest.differences(from: again) == [])
    }

    @Test func namesEachDifference() {
        let then = Manifest(
            command: ["ringload", "rr"],
            version: "1.2",
            startedAt: "2025-11-25T14:03:05Z",
            host: ["kernel": "6.1", "governor": "powersave", "same": "x"]
        )
        let now = Manifest(
            command: ["ringload", "crr"],
            version: "1.3",
            startedAt: "2026-11-25T14:03:05Z",
            host: ["kernel": "6.18", "machine": "x86_64", "same": "x"]
        )
        #expect(
            now.differences(from: then) == [
                "command was `ringload rr`, and is `ringload crr`",
                "version was 1.2, and is 1.3",
                "governor was powersave, and is not known",
                "kernel was 6.1, and is 6.18",
                "machine was not known, and is x86_64",
            ]
        )
    }

    @Test func findsTheTightestLimit() throws {
        try withFolder([
            "a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n",
            "cpu,cpuacct/x/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
            "cpu,cpuacct/y/cpu.cfs_quota_us": "25000\n",
            "cpu,cpuacct/y/cpu.cfs_period_us": "100000\n",
        ]) { root in
            #expect(ControlGroup.cpuLimit("0::/a/b\n", root: root) == "1.50")
            #expect(ControlGroup.cpuLimit("1:cpu,cpuacct:/x\n", root: root) == "unlimited")
            #expect(ControlGroup.cpuLimit("1:cpu,cpuacct:/y\n0::/a\n", root: root) == "0.25")
            #expect(ControlGroup.cpuLimit("4:memory:/a\n0::/\n", root: root) == nil)
        }
    }

    @Test func summarisesTheCPUs() throws {
        try withFolder([
            "v/meltdown": "Not affected\n", "v/retbleed": "Mitigation: Safe RET\n",
            "v/mds": "Vulnerable\n", "w/mds": "Not affected\n",
            "cpu0/cpufreq/scaling_governor": "performance\n",
            "cpu1/cpufreq/scaling_governor": "powersave\n",
            "cpu2/cpufreq/scaling_governor": "powersave\n",
        ]) { root in
            #expect(
                HostFacts.mitigations(folder: root + "/v")
                    == "mds: Vulnerable | retbleed: Mitigation: Safe RET"
            )
            #expect(HostFacts.mitigations(folder: root + "/w") == "none needed")
            #expect(HostFacts.mitigations(folder: root + "/x") == nil)
            #expect(HostFacts.governor(folder: root) == "performance, powersave")
            #expect(HostFacts.governor(folder: root + "/v") == nil)
        }
    }
}

struct SparklineTests {
    @Test func spansFromTheLeastToTheGreatest() {
        let rising = (0..<8).map { Double($0) }
        #expect(Sparkline.text(rising, width: 80) == "▁▂▃▄▅▆▇█")
        #expect(Sparkline.text(rising, width: 80, isPlain: true) == "_.-~=+*#")
        #expect(Sparkline.text(rising, width: 4) == "▁▃▆█")
        #expect(Sparkline.text([5, 5, 5], width: 80) == "▁▁▁")
    }

    @Test func takesWhatIsNoNumber() {
        #expect(Sparkline.text([], width: 5) == "")
        #expect(Sparkline.text([1, 2], width: 0) == "")
        #expect(Sparkline.text([1, 2], width: -1) == "")
        #expect(Sparkline.text([0, .nan, 1, .infinity], width: 9) == "▁ █ ")
        #expect(Sparkline.text([.nan], width: 9) == " ")
        #expect(
            Sparkline.text([-Double.greatestFiniteMagnitude, .greatestFiniteMagnitude], width: 2)
                == "▁█"
        )
    }

    @Test func textsOfNumbers() {
        #expect(Decimal.text(9.96, places: 1) == "10.0")
        #expect(Decimal.text(-0.04, places: 1) == "0.0")
        #expect(Decimal.text(0.05, places: 2) == "0.05")
        #expect(Decimal.text(.nan, places: 2) == "-")
        #expect(Decimal.seconds(1_000_001_999) == "1.000001")
        #expect(Decimal.nanoseconds(ofSeconds: "1764079385.25") == 1_764_079_385_250_000_000)
        for wrong in ["", ".", "1.", ".5", "-1", "1e3", "1.2.3", "99999999999999", "+1"] {
            #expect(Decimal.nanoseconds(ofSeconds: wrong) == nil, "\(wrong)")
        }
        #expect(WallClock.text(1_764_079_385_250_000_000) == "2025-11-25T14:03:05Z")
    }
}
