// R3 on demand: 100,000 idle connections on one server, held in the tables of several rings, since
// a process has no descriptors for them. Too long and too large for CI.

import Foundation
import Net
import Support
import Testing

@Suite(
    .serialized,
    .enabled(if: Place.hasBinaries && ProcessInfo.processInfo.environment["RINGBACK_SOAK"] != nil)
)
struct ManyConnectionsTests {
    private static let rings = 6
    private static let eachHolder = 16_700

    /// Holds connections to an address in a process of its own: no process has descriptors for all.
    /// Each address of the server has a port range of its own on the clients' side.
    private func holder(_ address: String) throws -> Program {
        let place = address.replacingOccurrences(of: ":", with: "/")
        let line = """
            ulimit -n 20000
            for n in $(seq \(Self.eachHolder)); do exec {fd}<>/dev/tcp/\(place) || exit 1; done
            echo ready
            exec sleep 600
            """
        return try Program(["bash", "-c", line])
    }

    @Test func aHundredThousandIdle() throws {
        let listen = (1...Self.rings).flatMap { ["--listen", "127.0.0.\($0):0"] }
        let server = try Server(
            ["--backend", "uring", "--registered-files", "--workers", "\(Self.rings)"]
                + ["--max-connections", "\(Self.rings * 20_000)"] + Array(listen.dropFirst(2))
        )
        let addresses = server.program.errorsSoFar.matches(of: /127\.0\.0\.[1-6]:\d+/)
            .map { String($0.0) }.prefix(Self.rings)
        let before = try server.residentBytes()
        let holders = try addresses.map(holder)
        let deadline = Date().addingTimeInterval(120)
        for holder in holders {
            while holder.outputSoFar != "ready\n" {
                try #require(Date() < deadline)
                usleep(100_000)
            }
        }
        let count = holders.count * Self.eachHolder
        let each = Double(try server.residentBytes() - before) / Double(count)
        let active = try Report(
            Program(
                ["ringload", "rr", server.address, "--connections", "500", "--verify"]
                    + ["--duration", "3s", "--json", "-"]
            ).wait(seconds: 120).output
        )
        #expect(active.isExact)
        #expect(each <= 1024, "bytes for each idle connection")
        #expect(try server.connections().count < 100, "descriptors")
        for holder in holders { holder.signal(SIGKILL) }
        let ended = try server.stop()
        #expect(ended.status == 0)
        #expect(ended.errors.contains("accepted=\(count + 500) connected=0 closed=\(count + 500) "))
        print(
            "R3 backend=uring registered_files=1 rings=\(Self.rings) idle=\(count) active=500 "
                + "bytes_each=\(Int(each)) \(active.verdict)"
        )
    }
}
