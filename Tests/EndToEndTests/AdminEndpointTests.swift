// The admin endpoint of a service that runs: what it says is what happened, and it says so too when
// the service drains, has no descriptors left, or has been reloaded.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct AdminEndpointTests {
    private func echoes(_ client: TestClient) throws -> Bool {
        try client.send([1, 2, 3])
        return try client.receive(exactly: 3) == [1, 2, 3]
    }

    @Test func countsAreWhatHappened() throws {
        let served = try Served()
        #expect(try served.get("/healthz").status == 200)
        #expect(try served.get("/readyz").status == 200)
        let clients = try (0..<12).map { _ in try served.client() }
        for client in clients { #expect(try echoes(client)) }
        #expect(try served.sum(of: "ringback_connections{") == 12)
        #expect(try served.sum(of: "ringback_received_bytes_total{") == 36)
        for client in clients[..<5] { client.finish() }
        for client in clients[..<5] { #expect(try client.receiveToEnd() == []) }
        #expect(try served.sum(of: "ringback_connections{") == 7)
        let ends = "termination=\"client_fin\",undelivered=\"false\""
        #expect(try served.sum(of: "ringback_connections_closed_total{", with: ends) == 5)
        #expect(try served.sum(of: "ringback_connections_closed_total{") == 5)
        for client in clients { client.finish() }
        served.program.signal(SIGTERM)
        #expect(try served.program.wait().status == 0)
    }

    /// Counts go on over a reload, also those of workers that are gone.
    @Test func countsOnlyGrow() throws {
        let served = try Served()
        for _ in 0..<10 {
            let client = try served.client()
            #expect(try echoes(client))
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
        let standing = try served.client()
        #expect(try echoes(standing))
        try served.reload("    backend: epoll\n")
        #expect(try echoes(standing))
        let client = try served.client()
        #expect(try echoes(client))
        #expect(try served.sum(of: "ringback_connections_accepted_total{") == 12)
        #expect(try served.sum(of: "ringback_received_bytes_total{") == 39)
        #expect(try served.sum(of: "ringback_connections{") == 2)
        for client in [standing, client] { client.finish() }
        served.program.signal(SIGTERM)
        #expect(try served.program.wait().status == 0)
    }

    /// Readiness fails first, and what is waited for is counted, while the service still drains.
    @Test func saysThatItDrains() throws {
        let served = try Served("    drain-timeout: 20s\n")
        let client = try served.client()
        #expect(try echoes(client))
        served.program.signal(SIGTERM)
        try served.program.waitUntilItSays("draining")
        let ready = try served.get("/readyz")
        #expect(ready.status == 503)
        #expect(ready.body.contains("draining"))
        #expect(try served.get("/healthz").status == 200)
        #expect(try served.sum(of: "ringback_draining_connections") == 1)
        client.finish()
        #expect(try client.receiveToEnd() == [])
        #expect(try served.program.wait().status == 0)
    }

    /// A service at its limit of descriptors still tells of itself.
    @Test func answersAtTheLimitOfDescriptors() throws {
        let served = try Served(
            "    max-connections: 100\n    pipes: 0\n",
            wrapper: ["prlimit", "--nofile=400:400"]
        )
        let clients = try (0..<200).map { _ in try served.client() }
        for client in clients[..<50] { #expect(try echoes(client)) }
        #expect(try served.get("/readyz").status == 200)
        let limit = ["prlimit", "--pid", "\(served.program.identifier)", "--nofile=60:400"]
        #expect(try Program(limit).wait().status == 0)
        #expect(try served.get("/metrics").body.contains("ringback_ready 1"))
        #expect(try served.get("/healthz").status == 200)
        for client in clients { client.resetOnClose() }
        _ = consume clients
        served.program.signal(SIGTERM)
        #expect(try served.program.wait().status == 0)
    }

    /// Workers on io_uring and on epoll under one load, told apart in every count.
    @Test func bothBackendsServeOneAddress() throws {
        let served = try Served("    epoll-workers: 1\n")
        try served.program.waitUntilItSays("1 of them on epoll")
        let clients = try (0..<60).map { _ in try served.client() }
        for client in clients { #expect(try echoes(client)) }
        let uring = try served.sum(of: "ringback_connections{", with: "backend=\"uring\"")
        let epoll = try served.sum(of: "ringback_connections{", with: "backend=\"epoll\"")
        #expect(uring + epoll == 60)
        #expect(uring > 0 && epoll > 0)
        for client in clients { client.finish() }
        served.program.signal(SIGTERM)
        #expect(try served.program.wait().status == 0)
    }

    /// `ringback top` shows what is there, and says in one line where nothing is.
    @Test func topShowsIt() throws {
        let served = try Served()
        let client = try served.client()
        #expect(try echoes(client))
        let admin = "127.0.0.1:\(served.adminPort)"
        let arguments = ["--admin", admin, "--once", "--interval", "200ms"]
        let shown = try Program(["ringback", "top"] + arguments).wait()
        #expect(shown.status == 0, "\(shown.errors)")
        #expect(shown.output.contains("serving"))
        #expect(shown.output.contains("1 of "), "the connection that stands")
        #expect(!shown.output.contains("\u{1B}"), "no terminal, no control sequences")
        client.finish()
        served.program.signal(SIGTERM)
        #expect(try served.program.wait().status == 0)

        let nobody = try Program(["ringback", "top"] + arguments).wait()
        #expect(nobody.status == 1)
        #expect(nobody.errorLines.count == 1)
        #expect(nobody.errors.contains("cannot read the status on \(admin)"))
        // What answers there may be something else.
        let other = try Server([])
        let wrong = try Program(["ringback", "top", "--once", "--admin", other.address]).wait()
        #expect(wrong.status == 1)
        #expect(wrong.errors.contains("no answer within") || wrong.errors.contains("no admin"))
        #expect(try other.stop().status == 0)
    }
}
