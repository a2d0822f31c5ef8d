// UrgentlyEndingEcho: an echo that takes poll's word of an urgent byte (POLLPRI) for the end of the
// connection, as servers do that treat whatever is not POLLIN alike. A handler of the engine cannot
// have this fault, since the engine does not ask for urgent bytes.

import Glibc
public import Net

/// An echo on bare sockets. It serves one client at a time.
public final class UrgentlyEndingEcho: Sendable {
    /// Where it listens.
    public let address: SocketAddress
    private let listener: Descriptor
    private let serving: Repeating

    /// Starts one.
    public init() throws {
        let options = ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))
        let listener = try Socket.listen(options)
        self.listener = listener
        address = try Socket.localAddress(of: listener)
        serving = try Repeating { UrgentlyEndingEcho.serveOne(listener) }
    }

    /// Stops it. The client that is served must have ended.
    public func stop() {
        serving.stop()
        listener.close()
    }

    private static func serveOne(_ listener: Descriptor) {
        guard events(of: listener.rawValue, POLLIN, milliseconds: 20) != 0 else { return }
        let client = accept(listener.rawValue, nil, nil)
        guard client >= 0 else { return }
        defer { close(client) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        while events(of: client, POLLIN | POLLPRI, milliseconds: -1) & POLLPRI == 0 {
            let count = recv(client, &buffer, buffer.count, 0)
            guard count > 0, send(client, buffer, count, Int32(MSG_NOSIGNAL)) == count else {
                return
            }
        }
    }

    private static func events(of socket: Int32, _ events: Int32, milliseconds: Int32) -> Int32 {
        var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
        return poll(&entry, 1, milliseconds) > 0 ? Int32(entry.revents) : 0
    }
}
