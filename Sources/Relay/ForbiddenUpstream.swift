// ForbiddenUpstream: addresses that a name must not lead a relay to. Whoever controls a name could
// otherwise have the relay fetch a cloud machine's credentials, or reach what only its own link
// can. An address that is written out is the user's own wish. To its own listeners a relay must not
// be led at all: each connection would come back as another, until no descriptor is left.

public import Net

/// Which addresses may not be an upstream's.
public enum ForbiddenUpstream {
    private static let networks: [(prefix: AddressPrefix, what: String)] = [
        // Where clouds tell a machine its credentials: most, Alibaba, Oracle, Amazon over IPv6.
        ("169.254.169.254", "a cloud's metadata service"),
        ("100.100.100.200", "a cloud's metadata service"),
        ("192.0.0.192", "a cloud's metadata service"),
        ("fd00:ec2::254", "a cloud's metadata service"),
        // RFC 3927 and RFC 4291, 2.5.6.
        ("169.254.0.0/16", "link-local"),
        ("fe80::/10", "link-local"),
    ].map { (AddressPrefix(parsing: $0.0)!, $0.1) }

    /// Why a relay must not connect to an address, or nil.
    ///
    /// - Parameter host: what the user wrote, a name or the address itself.
    public static func reason(against address: SocketAddress, host: String) -> String? {
        guard let found = networks.first(where: { $0.prefix.contains(address) }) else { return nil }
        // Written out it is meant.
        if let literal = SocketAddress(host: host, port: 0), literal.host == address.host {
            return nil
        }
        return "the name stands for \(address), which is \(found.what)"
    }

    /// Whether a connection to an address arrives at one of the relay's own listeners, also at one
    /// that listens on every address of this host.
    public static func isListener(_ address: SocketAddress, of listeners: [SocketAddress]) -> Bool {
        let target = address.unmapped
        return listeners.contains { listener in
            guard listener.port == target.port else { return false }
            if listener.unmapped.host == target.host { return true }
            if listener.isWildcard {
                // Of IPv6 it takes IPv4 too.
                return (listener.family == .v6 || target.family == .v4) && Host.has(target)
            }
            // A connection to every address goes to the loopback one.
            return target.isWildcard && listener.unmapped.family == target.family
                && listener.isLoopback
        }
    }
}
