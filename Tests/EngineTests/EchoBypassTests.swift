// The way of large amounts through an echo: back through pipes, every byte in its place, and copied
// again as soon as that is better. RelayTests has the same from one connection to another.

import Engine
import Glibc
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct EchoBypassTests {
    private static let backends = [Backend.uring, .epoll]

    private func server(_ backend: Backend) throws -> EchoServer {
        try EchoServer(backend) { $0.limits.pipeCount = 2 }
    }

    private func sender(_ client: TestClient, _ bytes: [UInt8]) throws -> Thread {
        try Thread(name: "sender") {
            try? client.send(bytes)
            client.finish()
        }
    }

    @Test(arguments: backends)
    func largeAmountsComeBackThroughPipes(_ backend: Backend) throws {
        let echo = try server(backend)
        let bytes = randomBytes(16 << 20, seed: 71)
        let client = try TestClient(echo.address)
        let sender = try sender(client, bytes)
        #expect(try client.receiveToEnd() == bytes)
        sender.join()
        let counters = echo.stop()
        #expect(counters.bytesBypassed > 1 << 20, "\(counters.bytesBypassed)")
        #expect(counters.bytesReceived == 16 << 20 && counters.bytesSent == 16 << 20)
        #expect(counters.bytesDropped == 0)
    }

    /// A registered file has no descriptor that could be spliced.
    @Test func registeredFilesAreCopied() throws {
        let echo = try EchoServer(Interface.registeredFiles) { $0.limits.pipeCount = 2 }
        let bytes = randomBytes(8 << 20, seed: 72)
        let client = try TestClient(echo.address)
        let sender = try sender(client, bytes)
        #expect(try client.receiveToEnd() == bytes)
        sender.join()
        let counters = echo.stop()
        #expect(counters.bytesBypassed == 0)
        #expect(counters.bytesSent == 8 << 20)
    }

    /// Large and small messages by turns: each change of the way keeps the order.
    @Test(arguments: backends)
    func changesOfTheWayKeepTheOrder(_ backend: Backend) throws {
        let echo = try server(backend)
        let client = try TestClient(echo.address)
        for round in 0..<4 {
            let bytes = randomBytes(4 << 20, seed: UInt64(80 + round))
            let sender = try Thread(name: "sender") { try? client.send(bytes) }
            #expect(try client.receive(exactly: bytes.count) == bytes)
            sender.join()
            for number in 0..<50 {
                let message = [UInt8](repeating: UInt8(number), count: 1 + number)
                try client.send(message)
                #expect(try client.receive(exactly: message.count) == message)
            }
        }
        client.finish()
        #expect(try client.receiveToEnd().isEmpty)
        let counters = echo.stop()
        #expect(counters.bypasses > 1)
        #expect(counters.bytesDropped == 0)
    }

    /// More transfers at once than there are pipes, and nobody reads for a while.
    @Test(arguments: backends)
    func whereNoPipeIsFreeBytesAreCopied(_ backend: Backend) throws {
        let echo = try server(backend)
        let clients = try (0..<6).map { _ in try TestClient(echo.address) }
        let payloads = (0..<6).map { randomBytes(6 << 20, seed: UInt64(90 + $0)) }
        let senders = try clients.enumerated().map { try sender($1, payloads[$0]) }
        usleep(200_000)
        for (number, client) in clients.enumerated() {
            #expect(try client.receiveToEnd() == payloads[number], "client \(number)")
        }
        for sender in senders { sender.join() }
        #expect(echo.stop().bytesDropped == 0)
    }

    /// A client resets while a pipe holds bytes for it: the pipe's next user gets none of them.
    @Test(arguments: backends)
    func whatIsLeftInAPipeGoesToNobody(_ backend: Backend) throws {
        let echo = try server(backend)
        let stuck = [UInt8](repeating: 7, count: 64 << 20)
        for _ in 0..<6 {
            var client: TestClient? = try TestClient(echo.address)
            // What all buffers on the way hold goes out; then nothing moves.
            var rest = stuck[...]
            for _ in 0..<100 where !rest.isEmpty {
                rest = rest.dropFirst(try client?.sendAvailable(rest) ?? 0)
                usleep(1000)
            }
            client?.resetOnClose()
            client = nil
        }
        let client = try TestClient(echo.address)
        let bytes = randomBytes(8 << 20, seed: 99)
        let sender = try sender(client, bytes)
        #expect(try client.receiveToEnd() == bytes)
        sender.join()
        let counters = echo.stop()
        #expect(counters.bytesBypassed > 0)
        #expect(counters.bytesDropped > 0)
    }
}
