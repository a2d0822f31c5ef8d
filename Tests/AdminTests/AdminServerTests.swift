// The admin endpoint as clients see it: what is at each path, how often the services are asked, and
// that starting and stopping leaves nothing behind.

import Foundation
import Net
import Support
import Synchronization
import Testing

@testable import Admin

@Suite(.serialized) struct AdminServerTests {
    @Test(arguments: [
        ("/", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "# HELP ringback_build_info"),
        ("/status", "application/json", "{\n"), ("/status?pretty", "application/json", "{\n"),
        ("/healthz", "text/plain; charset=utf-8", "ok\n"),
        ("/readyz", "text/plain; charset=utf-8", "ready\n"),
    ])
    func whatIsThere(_ path: String, _ type: String, _ begin: String) throws {
        let server = try AdminServer.made()
        let response = try server.ask(path)
        #expect(response.status == 200)
        #expect(response.headers["content-type"] == type)
        #expect(response.headers["content-length"] == "\(response.body.utf8.count)")
        #expect(response.headers["connection"] == "close")
        #expect(response.body.hasPrefix(begin))
        let head = try server.ask(path, method: "HEAD")
        #expect(head.status == 200 && head.body == "")
        #expect(head.headers["content-type"] == type)
        server.stop()
    }

    @Test func whatIsNotThere() throws {
        let server = try AdminServer.made()
        let missing = try server.ask("/metrics/")
        #expect(missing.status == 404)
        #expect(missing.body == "not found; there is / /metrics /status /healthz /readyz\n")
        let body = String(repeating: "x", count: 100_000)
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let rest = "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            let refused = try server.ask("/status", method: method, rest: rest)
            #expect(refused.status == 405 && refused.headers["allow"] == "GET, HEAD")
        }
        server.stop()
    }

    @Test(arguments: [
        (ProcessState.starting, 503, "starting\n"), (.serving, 200, "ready\n"),
        (.draining, 503, "draining\n"),
    ])
    func readyOrWhyNot(_ state: ProcessState, _ status: Int, _ body: String) throws {
        let server = try AdminServer.made { .made(state) }
        let response = try server.ask("/readyz")
        #expect(response.status == status && response.body == body)
        #expect(try server.ask("/healthz").status == 200)
        server.stop()
    }

    /// However many ask.
    @Test func theServicesAreAskedAtMostTenTimesASecond() throws {
        let tally = Tally()
        let server = try AdminServer.made {
            tally.count()
            return .made()
        }
        let taken = try seconds {
            for _ in 0..<200 { _ = try server.ask("/readyz") }
        }
        #expect(tally.total <= Int(taken * 10) + 1)
        usleep(110_000)
        let before = tally.total
        _ = try server.ask("/readyz")
        #expect(tally.total == before + 1)
        server.stop()
    }

    /// A reading that is being taken is shared, and one that does not come holds up nobody else.
    @Test func aSourceThatHangs() throws {
        let tally = Tally()
        let server = try AdminServer.made {
            tally.count()
            try? await Task.sleep(for: .seconds(60))
            return .made()
        }
        let clients = try (0..<3).map { _ in try server.client() }
        for client in clients { try client.send(Array("GET /metrics HTTP/1.1\r\n\r\n".utf8)) }
        try server.askPromptly("/healthz")
        for client in clients {
            let response = try #require(Response(try client.receiveToEnd()))
            #expect(response.status == 503)
            #expect(response.body == "the service did not say how it is in time\n")
        }
        #expect(tally.total == 1)
        #expect(seconds { server.stop() } < 2)
    }

    /// All of it is one thread, and the workers go first.
    @Test func itsThreadStandsBehind() throws {
        func threads() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter {
                SystemText.read("/proc/self/task/\($0)/comm") == "admin\n"
            }
        }
        #expect(try threads() == [])
        let server = try AdminServer.made()
        _ = try server.ask("/metrics")
        let own = try threads()
        #expect(own.count == 1)
        let fields = SystemText.read("/proc/self/task/\(own[0])/stat").split(separator: " ")
        #expect(fields[18] == "10")
        server.stop()
        #expect(try eventually { try threads() == [] })
    }

    @Test func startingAndStoppingLeavesNothingBehind() throws {
        let server = AdminServer(address: try AdminAddress(parsing: "127.0.0.1:0")) { .made() }
        #expect(server.boundAddress == nil)
        try server.start()
        _ = try server.ask("/metrics")
        server.stop()
        let before = try descriptorCount()
        for _ in 0..<50 {
            try server.start()
            try server.start()
            #expect(try server.ask("/metrics").status == 200)
            server.stop()
            server.stop()
        }
        #expect(server.boundAddress == nil)
        #expect(try descriptorCount() == before)
    }

    @Test func anAddressThatIsTaken() throws {
        let first = try AdminServer.made()
        let address = try AdminAddress(parsing: try #require(first.boundAddress))
        let before = try descriptorCount()
        let error = #expect(throws: AdminError.self) {
            try AdminServer(address: address) { .made() }.start()
        }
        #expect(
            error?.description == "cannot serve metrics on \(address): bind: Address already in "
                + "use; stop the process that holds it, or choose another"
        )
        #expect(try descriptorCount() == before)
        first.stop()
    }
}

/// Files of /proc.
enum SystemText {
    static func read(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }
}
