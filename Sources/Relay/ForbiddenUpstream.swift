// ForbiddenUpstream: addresses that a name must not lead a relay to. Whoever controls a name could
// otherwise have the relay fetch a cloud machine's credentials, or reach what only its own link
// can. An address that is written out is the user's own wish.

public import Net

/// Which addresses a name may not stand for.
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
}
