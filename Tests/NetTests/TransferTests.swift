// The calls of a socket on a real kernel: what is unread, and which answers are believed.

import Glibc
import Net
import Testing

struct TransferTests {
    /// A connection of the loopback: the listener's end, and the other.
    private func connection(
        _ adjust: (inout ListenOptions) -> Void = { _ in }
    ) throws -> (server: Descriptor, client: Descriptor) {
        var options = ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))
        adjust(&options)
        let listener = try Socket.listen(options)
        defer { listener.close() }
        let client = try Socket.outgoing(.v4)
        let target = try Socket.localAddress(of: listener)
        withUnsafeTemporaryAllocation(byteCount: SocketAddress.storageBytes, alignment: 8) {
            let length = target.write(to: $0.baseAddress!)
            _ = client.startConnecting(to: $0.baseAddress!, byteCount: length)
        }
        var server = listener.accept()
        while case .failure(.tryAgain) = server { server = listener.accept() }
        return (try server.get(), client)
    }

    private func send(_ count: Int, on client: Descriptor, isUrgent: Bool = false) {
        let bytes = [UInt8](repeating: 7, count: count)
        #expect(Glibc.send(client.rawValue, bytes, count, isUrgent ? Int32(MSG_OOB) : 0) == count)
        usleep(20_000)
    }

    private func receive(on server: Descriptor) -> Int {
        withUnsafeTemporaryAllocation(byteCount: 100, alignment: 1) {
            server.receive(into: $0.baseAddress!, byteCount: 100)
        }
    }

    @Test func bytesBehindAnUrgentOneAreUnread() throws {
        let (server, client) = try connection()
        defer {
            server.close()
            client.close()
        }
        #expect(!server.hasUnreadBytes)
        send(2, on: client)
        #expect(server.hasUnreadBytes)
        send(1, on: client, isUrgent: true)
        #expect(receive(on: server) == 2)
        #expect(!server.hasUnreadBytes, "the urgent byte itself does not count")
        send(3, on: client)
        #expect(server.unreadByteCount == 0, "the kernel counts up to the urgent byte")
        #expect(server.hasUnreadBytes)
        #expect(receive(on: server) == 3)
        #expect(!server.hasUnreadBytes)
        client.shutdownWriting()
        usleep(20_000)
        #expect(!server.hasUnreadBytes)
    }

    @Test func theKernelsBuffersAreTheListeners() throws {
        let (server, client) = try connection {
            $0.sendBufferBytes = 30_000
            $0.receiveBufferBytes = 20_000
        }
        defer {
            server.close()
            client.close()
        }
        func bytes(_ name: Int32) -> Int32 {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(server.rawValue, SOL_SOCKET, name, &value, &length)
            return value
        }
        // The kernel doubles them (socket(7)).
        #expect(bytes(SO_SNDBUF) == 60_000)
        #expect(bytes(SO_RCVBUF) == 40_000)
    }

    @Test func whoCannotBeAskedMayHaveUnreadBytes() {
        #expect(Descriptor.none.hasUnreadBytes)
        #expect(Descriptor.none.isAtUrgentByte)
    }

    @Test func nothingThereIsBelievedTheSecondTime() {
        func answer(to results: [Int32]) -> Int {
            var rest = results.map { -Int($0) }
            return untilBelieved { rest.removeFirst() }
        }
        #expect(answer(to: [EAGAIN, -7]) == 7)
        #expect(answer(to: [EINTR, EAGAIN, EINTR, EAGAIN, -7]) == -Int(EAGAIN))
        #expect(answer(to: [EINTR, EINTR, EPIPE]) == -Int(EPIPE))
    }
}
