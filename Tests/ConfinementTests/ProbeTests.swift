// What the kernel refuses a thread of the server that somebody has taken over: by calls, and by a
// ring that was there before. Each measure is tried alone too, and all of them switched off, where
// the same attempts succeed.

import Confinement
import Foundation
import Net
import Support
import Testing

/// A probe that has run: what the kernel said to each attempt, 0 for success.
private struct Probed {
    let answers: [String: Int32]

    static var canRun: Bool {
        let found = Confinement(seccomp: .auto, landlock: .auto)
        let hasPorts = found.landlock.isInForce && found.landlockScope.contains("TCP")
        return found.seccomp.isInForce && hasPorts
            && (try? Program.run(Built.path("confinement-probe"), "--help"))?.status == 0
    }

    /// - Parameter measures: those that are on, of `seccomp`, `landlock` and `rings`.
    init(_ role: String, _ measures: Set<String>, user: String? = nil) throws {
        let (allowed, other) = (try TestListener(), try TestListener())
        let (folder, otherFolder) = (try Folder(), try Folder())
        var command = [Built.path("confinement-probe"), role]
        for name in ["seccomp", "landlock", "rings"] {
            command += ["--\(name)", measures.contains(name) ? "on" : "off"]
        }
        command += ["--port", "\(allowed.address.port)", "--other-port", "\(other.address.port)"]
        command += ["--folder", folder.path, "--other-folder", otherFolder.path]
        if let user { command += ["--user", user] }
        let ended = try withExtendedLifetime((allowed, other, folder, otherFolder)) {
            try Program(command).wait()
        }
        let lines = ended.output.split(separator: "\n").map { $0.split(separator: " ") }
        let pairs = lines.compactMap { words in Int32(words[1]).map { (String(words[0]), $0) } }
        answers = Dictionary(pairs) { $1 }
        try #require(ended.status == 0 && answers.count == 25, "\(ended)")
    }

    /// The attempts that ended so.
    func attempts(_ code: Int32) -> Set<String> { Set(answers.filter { $0.value == code }.keys) }
}

/// A folder into which everybody may write, as far as its permissions go.
private final class Folder {
    let path = NSTemporaryDirectory() + "ringback-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        chmod(path, 0o777)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite(.enabled(if: Probed.canRun, "seccomp, Landlock with ports, and rings are needed"))
struct ProbeTests {
    private static let all: Set = ["seccomp", "landlock", "rings"]
    private static let byRing: Set = [
        "ring-read", "ring-write", "ring-socket", "ring-connect", "ring-connect-aside",
    ]

    @Test func aWorkerOfAnEchoServesAndNothingElse() throws {
        let probed = try Probed("echo", Self.all)
        #expect(
            probed.attempts(EPERM) == [
                "read", "write", "write-allowed", "exec", "fork", "code", "socket", "datagram",
                "packet", "connect", "connect-allowed", "bind", "ring", "trace", "namespace",
                "signal", "root", "ring-register",
            ]
        )
        #expect(probed.attempts(ENOSYS) == ["unknown"])
        #expect(probed.attempts(EACCES) == Self.byRing.union(["ring-connect-allowed"]))
    }

    @Test func aWorkerOfARelayConnectsToItsUpstreamsAlone() throws {
        let probed = try Probed("relay", Self.all)
        #expect(probed.attempts(0) == ["socket", "connect-allowed", "ring-connect-allowed"])
        #expect(probed.attempts(EACCES) == Self.byRing.union(["connect"]))
        #expect(
            probed.attempts(EPERM).isSuperset(
                of: [
                    "read", "write", "exec", "fork", "datagram", "bind", "ring", "trace", "signal",
                ]
            )
        )
    }

    @Test func theAdminEndpointReads() throws {
        let probed = try Probed("admin", Self.all)
        #expect(probed.attempts(0) == ["read"])
        #expect(
            probed.attempts(EPERM).isSuperset(
                of: ["write", "exec", "fork", "socket", "connect", "bind", "ring", "trace"]
            )
        )
    }

    /// The main thread starts threads, rings and successors, and cannot but be able to.
    @Test func theMainThreadIsTheWidest() throws {
        let probed = try Probed("process", Self.all)
        #expect(
            probed.attempts(EPERM) == ["packet", "trace", "namespace", "root"]
        )
        #expect(
            probed.attempts(EACCES)
                == Self.byRing.union(
                    ["write", "connect", "bind", "ring-connect-allowed", "ring-register"]
                )
        )
        #expect(probed.attempts(ENOENT) == ["exec"], "it may execute")
        #expect(probed.attempts(ENOSYS) == ["unknown"])
        #expect(
            probed.attempts(0).isSuperset(
                of: ["read", "write-allowed", "connect-allowed", "fork", "ring", "socket"]
            )
        )
    }

    /// A filter of calls does not see what a ring is asked for: Landlock does, for files and
    /// connections, also where the kernel hands them to a thread of its own.
    @Test func landlockHoldsForRings() throws {
        let echo = try Probed("echo", ["landlock"])
        #expect(
            echo.attempts(EACCES) == [
                "read", "write", "write-allowed", "connect", "connect-allowed", "bind",
                "ring-read", "ring-write", "ring-connect", "ring-connect-aside",
                "ring-connect-allowed",
            ]
        )
        let relay = try Probed("relay", ["landlock"])
        #expect(relay.answers["ring-connect"] == EACCES)
        #expect(relay.answers["ring-connect-allowed"] == 0)
    }

    @Test func restrictionsHoldForRings() throws {
        let probed = try Probed("echo", ["rings"])
        let refused = Self.byRing.union(["ring-connect-allowed", "ring-register"])
        #expect(probed.attempts(EACCES) == refused)
        #expect(probed.answers["read"] == 0 && probed.answers["connect"] == 0)
    }

    @Test func aFilterDoesNotHoldForRings() throws {
        let probed = try Probed("echo", ["seccomp"])
        #expect(probed.answers["connect"] == EPERM && probed.answers["read"] == EPERM)
        #expect(probed.attempts(0) == Self.byRing.union(["ring-connect-allowed"]))
    }

    @Test func withoutAnyEverythingSucceeds() throws {
        let probed = try Probed("echo", [])
        #expect(
            probed.attempts(0).isSuperset(
                of: Self.byRing.union([
                    "read", "write", "fork", "code", "socket", "datagram", "connect",
                    "connect-allowed", "ring", "trace", "signal", "ring-connect-allowed",
                    "ring-register",
                ])
            )
        )
        #expect(probed.answers["exec"] == ENOENT && probed.answers["bind"] == EADDRINUSE)
    }

    /// Whoever was root cannot be again, and has no capability left to do root's things with.
    @Test(.enabled(if: getuid() == 0, "root is needed"))
    func whoWasRootIsNoMore() throws {
        let probed = try Probed("process", [], user: "nobody")
        #expect(probed.attempts(EPERM).isSuperset(of: ["root", "packet", "signal"]))
        #expect(probed.answers["read"] == 0 && probed.answers["connect"] == 0)
    }
}
