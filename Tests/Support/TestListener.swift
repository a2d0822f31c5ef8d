// TestListener: a listening socket whose connections a test serves by hand, to be the upstream that
// does at each moment what the test wants.

import Glibc
public import Net

/// A listener on a port that the kernel chooses.
public final class TestListener: @unchecked Sendable {
    /// Where it listens.
    public let address: SocketAddress
    private let descriptor: Descriptor

    /// Listens on a loopback address.
    public init(host: String = "127.0.0.1", backlog: Int32 = 64) throws {
        var options = ListenOptions(address: try SocketAddress(parsing: "\(host):0"))
        options.backlog = backlog
        descriptor = try Socket.listen(options)
        address = try Socket.localAddress(of: descriptor)
    }

    deinit { descriptor.close() }

    /// Waits for the next connection.
    public func accept(withinMilliseconds timeout: Int32 = 10_000) throws -> TestClient {
        var waiting = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, timeout) == 1 else {
            throw TestClient.CallFailed(call: "accept", code: ETIMEDOUT)
        }
        let accepted = Glibc.accept(descriptor.rawValue, nil, nil)
        guard accepted >= 0 else { throw TestClient.CallFailed(call: "accept", code: errno) }
        return TestClient(accepted: accepted, timeoutSeconds: 20)
    }

    /// Whether a connection waits.
    public func hasConnection(withinMilliseconds timeout: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, timeout) == 1
    }
}
