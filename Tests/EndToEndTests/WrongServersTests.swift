// The release `ringload` against servers that do to the bytes what they must not: it says what kind
// of fault it was, and exits 5.

import Engine
import Foundation
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(1)))
struct WrongServersTests {
    @Test(arguments: [
        (EchoFault.losesByte, "lost"), (.mixes, "foreign"), (.swapsBlocks, "reordered"),
    ])
    func areNamedWithStatus5(_ fault: EchoFault, _ kind: String) throws {
        let (ended, integrity) = try loadAgainst(fault)
        #expect(ended.status == 5, "\(ended.errors)")
        #expect((integrity[kind] ?? 0) > 0, "\(integrity)")
        #expect(ended.output.contains("first fault: connection"), "\(ended.output)")
    }

    @Test func areToldFromOneThatIsRight() throws {
        let (ended, integrity) = try loadAgainst(.none)
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(["lost", "foreign", "reordered"].map { integrity[$0] } == [0, 0, 0])
    }

    /// Runs `ringload rr --verify --json FILE`; returns its end and the report's verdict.
    private func loadAgainst(_ fault: EchoFault) throws -> (Ended, [String: Int]) {
        let limits = Limits(connectionsMax: 16)
        let server = try EchoServer(.epoll, limits: limits) { _ in FaultyEcho(fault) }
        defer { _ = server.stop() }
        let report = TemporaryFile()
        let ended = try Program.run(
            "ringload",
            "rr",
            "\(server.address)",
            "--connections",
            "4",
            "--size",
            "20000",
            "--duration",
            "300ms",
            "--warmup",
            "0",
            "--verify",
            "--half-close",
            "--json",
            report.path
        )
        let json = try JSONSerialization.jsonObject(with: Data(report.text.utf8))
        let integrity = try #require((json as? [String: Any])?["integrity"] as? [String: Any])
        return (ended, integrity.compactMapValues { $0 as? Int })
    }
}
