// The conformance suite: what an echo must do, on real sockets, for every backend and for pools
// that make trouble. Each case runs against a server of its own and ends with its books balanced.

import Engine
import Glibc
import Load
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct ConformanceTests {
    /// Sends while another thread receives, as a client of a large echo must.
    private func exchange(_ bytes: [UInt8], on client: TestClient) throws -> [UInt8] {
        let sender = try Thread(name: "sender") { try? client.send(bytes) }
        defer { sender.join() }
        return try client.receive(exactly: bytes.count)
    }

    @Test(arguments: Setting.all)
    func echoesEverySize(_ setting: Setting) throws {
        try setting.serve { server in
            let client = try TestClient(server.address)
            for size in [1, 2, 15, 16, 17, 4095, 65536, 65537, 1 << 20, 8 << 20] {
                let bytes = randomBytes(size, seed: UInt64(size))
                #expect(try exchange(bytes, on: client) == bytes, "size \(size)")
            }
        }
    }

    @Test(arguments: Setting.all)
    func echoesOneByteAtATime(_ setting: Setting) throws {
        try setting.serve { server in
            let client = try TestClient(server.address)
            for value in 0..<500 {
                let byte = [UInt8(truncatingIfNeeded: value)]
                try client.send(byte)
                #expect(try client.receive(exactly: 1) == byte)
            }
        }
    }

    /// A receive ends before an urgent byte, however much lies behind. The byte itself is dropped.
    @Test(arguments: Setting.all)
    func anUrgentByteHoldsNothingUp(_ setting: Setting) throws {
        try setting.serve { server in
            let client = try TestClient(server.address, timeoutSeconds: 5)
            for _ in 0..<20 {
                try client.send([1, 2, 3])
                try client.send(urgent: 0)
                try client.send([4, 5, 6])
                #expect(try client.receive(exactly: 6) == [1, 2, 3, 4, 5, 6])
            }
        }
    }

    @Test(arguments: Setting.all)
    func sendsTheTailAfterAHalfClose(_ setting: Setting) throws {
        try setting.serve { server in
            for size in [0, 1, 10, 100_000, 3_000_000] {
                let client = try TestClient(server.address)
                let bytes = randomBytes(size, seed: 7)
                let sender = try Thread(name: "sender") {
                    try? client.send(bytes)
                    client.finish()
                }
                #expect(try client.receiveToEnd() == bytes, "size \(size)")
                sender.join()
            }
        }
    }

    @Test(arguments: Setting.all)
    func survivesAResetInTheMiddle(_ setting: Setting) throws {
        try setting.serve { server in
            for _ in 0..<20 {
                let client = try TestClient(server.address)
                client.resetOnClose()
                try client.send(randomBytes(200_000, seed: 3))
            }
            let client = try TestClient(server.address)
            let bytes = randomBytes(10_000, seed: 4)
            #expect(try exchange(bytes, on: client) == bytes)
        }
    }

    @Test(arguments: Setting.all)
    func waitsForASlowReader(_ setting: Setting) throws {
        try setting.serve { server in
            let slow = try TestClient(server.address)
            let bytes = randomBytes(12 << 20, seed: 5)
            let sender = try Thread(name: "sender") {
                try? slow.send(bytes)
                slow.finish()
            }
            usleep(300_000)
            // Meanwhile another client is served, unless the few buffers are all held.
            if setting.pool != .eightBuffers {
                let quick = try TestClient(server.address)
                try quick.send([1, 2, 3])
                #expect(try quick.receive(exactly: 3) == [1, 2, 3])
            }
            #expect(try slow.receiveToEnd() == bytes)
            sender.join()
        }
    }

    @Test(arguments: Setting.all)
    func keepsManyConnectionsApart(_ setting: Setting) throws {
        try setting.serve { server in
            for loadBackend in Backend.allCases {
                var plan = LoadPlan(target: server.address, backend: loadBackend)
                plan.connections = 512
                plan.size = .even(1...(setting.pool == .tinyBuffers ? 2048 : 20_000))
                plan.depth = 3
                plan.verifies = true
                plan.halfCloses = true
                plan.seed = UInt64.random(in: 1...UInt64(UInt32.max))
                plan.warmupNanoseconds = 0
                plan.span = .nanoseconds(500 * .nanosecondsPerMillisecond)
                let total = try LoadRun(plan, server: nil).run().total
                let verdict = total.integrity
                #expect(verdict.isClean, "seed \(plan.seed): \(verdict.firstFault ?? "")")
                #expect(verdict.verifiedBytes > 0)
                #expect(total.errors.total == 0, "\(total.errors)")
            }
        }
    }

    /// R10: a completion queue that is far too small costs turns, and no byte.
    @Test func countsCompletionOverflows() throws {
        let server = try EchoServer(.uring, pool: .tinyQueues)
        var plan = LoadPlan(target: server.address, backend: .epoll)
        plan.connections = 300
        plan.verifies = true
        plan.halfCloses = true
        plan.warmupNanoseconds = 0
        plan.span = .nanoseconds(500 * .nanosecondsPerMillisecond)
        let total = try LoadRun(plan, server: nil).run().total
        #expect(total.integrity.isClean)
        #expect(total.errors.total == 0)
        #expect(server.stop().completionOverflows > 0)
    }

    /// More clients than fit wait in the listener's queue, and are served when others leave.
    @Test(arguments: Interface.allCases, [3, 5000])
    func letsClientsWaitForRoom(_ interface: Interface, _ room: Int) throws {
        let server = try EchoServer(interface) { $0.limits = Limits(connectionsMax: room) }
        let first = try (0..<room).map { _ in try TestClient(server.address) }
        for client in first {
            try client.send([1])
            #expect(try client.receive(exactly: 1) == [1])
        }
        let waiting = try (0..<3).map { _ in try TestClient(server.address, timeoutSeconds: 1) }
        for client in waiting { try client.send([7]) }
        #expect(throws: TestClient.CallFailed.self, "nobody answers") {
            _ = try waiting[0].receive(exactly: 1)
        }
        for client in first.prefix(3) { client.finish() }
        for client in waiting { #expect(try client.receive(exactly: 1) == [7]) }
        #expect(server.stop().accepted == UInt64(room) + 3)
    }

    /// A stop ends, whatever is being accepted at that moment.
    @Test(arguments: Interface.allCases, [3, 5000])
    func stopsDuringAConnectStorm(_ interface: Interface, _ room: Int) throws {
        for _ in 0..<10 {
            let server = try EchoServer(interface) { $0.limits = Limits(connectionsMax: room) }
            let address = server.address
            let storm = try Thread(name: "storm") {
                for _ in 0..<400 { _ = try? TestClient(address, timeoutSeconds: 1) }
            }
            usleep(UInt32.random(in: 0..<20_000))
            _ = server.stop()
            storm.join()
        }
    }

    @Test(arguments: Backend.allCases)
    func listensOnSeveralAddressesAndBothVersionsOfIP(_ backend: Backend) throws {
        let server = try EchoServer(backend) { plan in
            plan.listeners = ["127.0.0.1:0", "[::1]:0", "[::]:0"].map {
                ListenOptions(address: try! SocketAddress(parsing: $0))
            }
            plan.workerCount = 2
        }
        defer { _ = server.stop() }
        var targets = server.addresses
        let dual = try SocketAddress(parsing: "127.0.0.1:\(server.addresses[2].port)")
        targets[2] = try SocketAddress(parsing: "[::1]:\(server.addresses[2].port)")
        for address in targets + [dual] {
            let client = try TestClient(address)
            try client.send([42])
            #expect(try client.receive(exactly: 1) == [42], "\(address)")
        }
    }
}
