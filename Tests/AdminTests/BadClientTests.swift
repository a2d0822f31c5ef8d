// S6: clients that are slow, huge, senseless or many. Afterwards a good one gets its answer within
// a second, and nothing is left of them.

import Foundation
import Net
import Support
import Testing

@testable import Admin

@Suite(.serialized) struct BadClientTests {
    /// Lets bad clients be bad, and looks at how a good one fares.
    private func around(_ body: (AdminServer) throws -> Void) throws {
        let server = try AdminServer.made()
        let before = try descriptorCount()
        try body(server)
        try server.askPromptly("/metrics")
        #expect(try eventually { try descriptorCount() == before })
        server.stop()
    }

    /// A byte every 100 ms keeps no place: the time for the whole request is what counts.
    @Test func slowOnes() throws {
        try around { server in
            let client = try server.client()
            var answer: [UInt8]?
            let taken = try seconds {
                while answer == nil {
                    _ = try? client.sendAvailable([UInt8(ascii: "G")][...])
                    if try client.isReadable(withinMilliseconds: 100) {
                        answer = try client.receiveToEnd()
                    }
                }
            }
            #expect(taken > 1.9 && taken < 3, "\(taken)")
            #expect(answer.flatMap { Response($0) }?.status == 408)
        }
    }

    /// All places taken by clients that say nothing; a good one does not wait until they are cut.
    @Test func silentOnesInAllPlaces() throws {
        try around { server in
            let silent = try (0..<AdminLoop.connectionsMax * 2).map { _ in try server.client() }
            for _ in 0..<20 {
                try server.askPromptly("/status")
            }
            withExtendedLifetime(silent) {}
        }
    }

    @Test(arguments: [8193, 64 << 10, 4 << 20])
    func hugeHeaders(_ byteCount: Int) throws {
        try around { server in
            let client = try server.client()
            let head = Array("GET /metrics HTTP/1.1\r\nX: ".utf8)
            let filler = [UInt8](repeating: UInt8(ascii: "x"), count: byteCount)
            // More than is thrown away behind the answer breaks the connection.
            do {
                try client.send(head + filler)
            } catch {
                #expect(byteCount > 1 << 20)
                return
            }
            #expect(Response(try client.receiveToEnd())?.status == 431)
        }
    }

    /// Closing at once would reset the connection under it.
    @Test func whoStillSendsGetsTheAnswer() throws {
        try around { server in
            let client = try server.client()
            try client.send(Array("POST / HTTP/1.1\r\n\r\n".utf8))
            #expect(try client.isReadable(withinMilliseconds: 1000))
            for _ in 0..<10 {
                try client.send([UInt8](repeating: UInt8(ascii: "x"), count: 1000))
                usleep(1000)
            }
            #expect(Response(try client.receiveToEnd())?.status == 405)
        }
    }

    /// The largest request there may be, byte by byte as it were.
    @Test func whatJustFits() throws {
        let server = try AdminServer.made()
        let used = "GET /healthz HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n".utf8.count
        let filler = String(repeating: "x", count: Request.bytesMax - used)
        #expect(try server.ask("/healthz", rest: "X: \(filler)\r\n\r\n").status == 200)
        #expect(try server.ask("/healthz", rest: "X: \(filler)x\r\n\r\n").status == 431)
        server.stop()
    }

    @Test func senselessOnes() throws {
        try around { server in
            let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03]
            for (number, bytes) in ([hello] + (0..<50).map { randomBytes(4096, seed: $0 + 1) })
                .enumerated()
            {
                let client = try server.client()
                try client.send(bytes)
                let response = Response(try client.receiveToEnd())
                #expect(response?.status == 400, "seed \(number)")
            }
            for line in ["GET\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "GET / SPDY/3\r\n\r\n", "\n\n"] {
                let client = try server.client()
                try client.send(Array(line.utf8))
                #expect(Response(try client.receiveToEnd())?.status == 400, "\(line)")
            }
        }
    }

    /// Those that go before their answer comes, or without having asked.
    @Test func rudeOnes() throws {
        try around { server in
            for number in 0..<100 {
                let client = try server.client()
                if number % 2 == 0 { try client.send(Array("GET /metrics HTTP/1.1\r\n\r\n".utf8)) }
                if number % 3 == 0 { client.resetOnClose() }
            }
        }
    }

    @Test(arguments: [false, true])
    func aThousandAtOnce(_ theyAsk: Bool) throws {
        try DescriptorLimit.raise(to: 4096)
        try around { server in
            let clients = try (0..<1000).map { _ in
                let client = try server.client()
                if theyAsk { _ = try? client.send(Array("GET /metrics HTTP/1.1\r\n".utf8)) }
                return client
            }
            try server.askPromptly("/metrics")
            withExtendedLifetime(clients) {}
        }
    }

    /// When no descriptor is left is when the figures are wanted most.
    @Test func withoutDescriptors() throws {
        try around { server in
            let client = try server.client()
            var taken: [Descriptor] = []
            let before = DescriptorLimit.current().soft
            let highest = OwnSockets.duplicate(Descriptor(rawValue: 0))
            // The client of the good request has its descriptor, the server has none to accept.
            setSoftLimit(UInt64(highest.rawValue) + 40)
            while case let copy = OwnSockets.duplicate(highest), copy.rawValue >= 0 {
                taken.append(copy)
            }
            try client.send(Array("GET /healthz HTTP/1.1\r\n\r\n".utf8))
            let bytes = try client.receiveToEnd()
            for descriptor in taken + [highest] { descriptor.close() }
            setSoftLimit(before)
            #expect(Response(bytes)?.status == 200)
        }
    }

    private func setSoftLimit(_ count: UInt64) {
        var limit = rlimit(rlim_cur: UInt(count), rlim_max: UInt(DescriptorLimit.current().hard))
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    }
}
