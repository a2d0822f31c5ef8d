// The addresses of this host: whether a connection to an address comes back to it.

import Glibc

extension Host {
    /// The addresses of its interfaces, with port 0 (getifaddrs(3)); none where it cannot be asked.
    public static func addresses() -> [SocketAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: [SocketAddress] = []
        var node = list
        while let entry = node {
            if let address = SocketAddress(UnsafeRawPointer(entry.pointee.ifa_addr)) {
                addresses.append(address)
            }
            node = entry.pointee.ifa_next
        }
        return addresses
    }

    /// Whether a connection to an address stays on this host.
    public static func has(_ address: SocketAddress) -> Bool {
        let host = address.unmapped.host
        return host.isWildcard || host.isLoopback || addresses().contains(host)
    }
}

extension SocketAddress {
    /// Whether it stands for every address of the host: `0.0.0.0` or `::`.
    public var isWildcard: Bool { bits == 0 }

    /// Whether it is of 127.0.0.0/8, all of which Linux takes for this host, or `::1`.
    public var isLoopback: Bool { family == .v4 ? bits >> 24 == 127 : bits == 1 }
}
