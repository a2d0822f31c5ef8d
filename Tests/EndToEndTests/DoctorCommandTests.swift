// `ringback doctor` as an operator runs it: what it says of this host, and of hosts where something
// is taken away from it.

import Foundation
import Support
import Testing

struct DoctorCommandTests {
    private struct Finding: Decodable {
        let subject: String
        let verdict: String
        let found: String
        let remedy: String?
    }

    private func doctor(_ before: [String], _ options: [String]) throws -> (Ended, [Finding]) {
        let program = try Program(before + ["ringback", "doctor", "--json"] + options)
        let ended = try program.wait()
        return (ended, try JSONDecoder().decode([Finding].self, from: Data(ended.output.utf8)))
    }

    /// The exit status is that of the worst finding.
    @Test func saysWhatItFinds() throws {
        let (ended, findings) = try doctor([], ["--max-connections", "100", "--workers", "1"])
        #expect(findings.count >= 8)
        let worst = findings.contains { $0.verdict == "costs" } ? 3 : 0
        #expect(ended.status == Int32(worst), "\(ended.output)")
        #expect(!findings.contains { $0.verdict == "broken" })
    }

    @Test func tooFewDescriptors() throws {
        let (ended, findings) = try doctor(
            ["/bin/sh", "-c", "ulimit -n 300; exec \"$0\" \"$@\""],
            ["--max-connections", "1000", "--workers", "1"]
        )
        #expect(ended.status == 1)
        let finding = findings.first { $0.verdict == "broken" }
        #expect(finding?.subject == "descriptors" && finding?.found == "300")
        #expect(finding?.remedy?.contains("LimitNOFILE=1160") == true)
    }

    /// As a seccomp filter does it.
    @Test func aForbiddenRing() throws {
        let strace = [
            "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup",
            "-e", "inject=io_uring_setup:error=EPERM",
        ]
        let (ended, findings) = try doctor(
            strace,
            ["--max-connections", "100", "--backend", "uring"]
        )
        #expect(ended.status == 1)
        let finding = findings.first { $0.verdict == "broken" }
        #expect(finding?.subject == "io_uring")
        #expect(finding?.found.contains("seccomp") == true)
    }

    @Test func badInputIsAUsageError() throws {
        let program = try Program(["ringback", "doctor", "--max-connections", "0"])
        let ended = try program.wait()
        #expect(ended.status == 2)
        #expect(ended.errors.contains("--max-connections must be at least 1"))
    }

    @Test func writesTheProfileOnceUnlessForced() throws {
        let file = TemporaryFile()
        let first = try Program.run("ringback", "doctor", "--write-seccomp", file.path)
        #expect(first.status == 1)
        #expect(first.errors.contains("'\(file.path)' is there already; --force writes over it"))
        #expect(file.text == "")

        let forced = try Program.run(
            "ringback",
            "doctor",
            "--write-seccomp",
            file.path,
            "--force"
        )
        #expect(forced.status == 0 && forced.output == "" && forced.errors == "")
        let written = try String(contentsOfFile: file.path, encoding: .utf8)
        let profile = Place.root + "/deploy/seccomp/ringback.json"
        #expect(try written == String(contentsOfFile: profile, encoding: .utf8))
    }

    @Test func saysWhatItCannotWrite() throws {
        let ended = try Program.run("ringback", "doctor", "--write-systemd", "/nowhere/a.conf")
        #expect(ended.status == 1)
        #expect(ended.errorLines.count == 1)
        #expect(ended.errors.contains("'/nowhere/a.conf': No such file or directory"))
    }

    /// On stdout, with the limits that the options ask for.
    @Test func theDropInFollowsTheOptions() throws {
        let ended = try Program.run(
            "ringback",
            "doctor",
            "--write-systemd",
            "-",
            "--max-connections",
            "50000",
            "--relay",
            "--workers",
            "1"
        )
        #expect(ended.status == 0)
        #expect(ended.output.contains("\n[Service]\nLimitNOFILE=100160\n"))
        #expect(ended.output.contains("\nSystemCallFilter="))
    }
}
