// F17 on a real server. A send to a peer that has gone may raise SIGPIPE, whose default is to end
// the process. That lies below the ring, in the opcode and its flags, so no simulated ring can
// show it: a server of the debug build serves clients that go away while it sends.

import Foundation
import Net
import Support
import Testing

/// A server whose clients reset their connections in the middle of the echo.
enum ResettingClients {
    private static let clientsMax = 300
    private static let block = randomBytes(1 << 20, seed: 17)

    /// How the server ended, by a signal of its own or since it was asked to.
    static func end(ofServerWith fault: String?) throws -> Ended {
        // A worker with pipes blocks SIGPIPE, which would hide what the fault does.
        let options = fault.map { ["--fault", $0, "--pipes", "0"] } ?? []
        let server = try Server(
            ["--backend", "uring", "--workers", "1"] + options,
            executable: Built.path("ringback")
        )
        let address = try SocketAddress(parsing: server.address)
        for number in 0..<clientsMax {
            if let ended = try? server.program.wait(seconds: 0) { return ended }
            try? resetAmidst(address, number)
        }
        return try server.stop()
    }

    /// Sends more than it reads. FIN goes before RST with every other client: the next send then
    /// finds EPIPE, and not ECONNRESET (tcp(7)).
    private static func resetAmidst(_ address: SocketAddress, _ number: Int) throws {
        let client = try TestClient(address, timeoutSeconds: 5, receiveBufferBytes: 4096)
        _ = try client.sendAvailable(block[...])
        _ = try client.receive(exactly: 1)
        if number % 2 == 0 { client.finish() }
        usleep(UInt32(number % 10) * 100)
        client.resetOnClose()
    }
}

@Suite(.serialized, .enabled(if: KernelHost.isAvailable))
struct SignalTests {
    @Test func aServerOutlivesClientsThatReset() throws {
        let ended = try ResettingClients.end(ofServerWith: nil)
        #expect(ended.status == 0, "\(ended.errors)")
    }

    @Test func withWritesInsteadOfSendsItDoesNot() throws {
        let ended = try ResettingClients.end(ofServerWith: "F17")
        #expect(ended.status == 128 + SIGPIPE, "\(ended.errors)")
    }
}
