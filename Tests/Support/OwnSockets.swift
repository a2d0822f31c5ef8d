// OwnSockets: the sockets of the test's own process, where an in-process server keeps its own.
// Holding one of them a second time is what another process does that got it by fork or by
// SCM_RIGHTS.

import Glibc
public import Net

/// The process's sockets.
public enum OwnSockets {
    /// The descriptors of the sockets at a local address. Those that listen have no peer.
    public static func descriptors(
        local: SocketAddress,
        isListening: Bool
    ) -> [Descriptor] {
        (0..<4096).map { Descriptor(rawValue: $0) }.filter {
            $0.localAddress == local && ($0.peerAddress == nil) == isListening
        }
    }

    /// How many there are that have a peer.
    public static var connectedCount: Int {
        (0..<4096).count { Descriptor(rawValue: $0).peerAddress != nil }
    }

    /// A second descriptor of the same socket.
    public static func duplicate(_ descriptor: Descriptor) -> Descriptor {
        Descriptor(rawValue: dup(descriptor.rawValue))
    }
}
