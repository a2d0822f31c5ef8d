// A client that vanishes: no FIN, no RST, no answer to anything. The kernel's timers end the
// connection, and each of the two is counted as itself.

import Foundation
import Support
import Testing

@Suite(
    .serialized,
    .enabled(if: Place.hasBinaries && getuid() == 0),
    .timeLimit(.minutes(2))
)
struct VanishedPeerTests {
    private let network: Network

    init() throws { network = try Network() }

    private func serve(_ options: String...) throws -> Server {
        try Server(
            options + ["--workers", "1"],
            wrapper: network.besideServer,
            listen: "\(Network.serverHost):0"
        )
    }

    /// Runs a client, a line of bash that ends in one process; makes it vanish when it has been
    /// echoed to, and returns the stop report once the connection has ended.
    private func report(_ server: Server, client line: String) throws -> String {
        let client = try Program(
            network.besideClient + ["bash", "-c", line, "-", "\(server.port)"]
        )
        defer { client.signal(SIGKILL) }
        try server.waitForConnections(1)
        usleep(500_000)
        try network.dropClient()
        try server.waitForConnections(0)
        return try server.stop().errors
    }

    /// Nothing is on its way, so keepalive probes find out.
    @Test(arguments: ["uring", "epoll"])
    func idlePeersEndByKeepalive(_ backend: String) throws {
        let server = try serve("--backend", backend, "--keepalive", "1s,1s,2")
        let report = try report(
            server,
            client: "exec 3<>/dev/tcp/\(Network.serverHost)/$1; echo >&3; exec sleep 60"
        )
        #expect(report.contains("ends: keepalive=1\n"), "\(report)")
    }

    /// The client does not read, so bytes are on their way and probes are not sent.
    @Test(arguments: ["uring", "epoll"])
    func unacknowledgedBytesEndByUserTimeout(_ backend: String) throws {
        let server = try serve("--backend", backend, "--user-timeout", "2s")
        let report = try report(
            server,
            client: "exec head -c 64M /dev/zero <>/dev/tcp/\(Network.serverHost)/$1 >&0"
        )
        #expect(report.contains("ends: user_timeout/undelivered=1\n"), "\(report)")
    }
}
