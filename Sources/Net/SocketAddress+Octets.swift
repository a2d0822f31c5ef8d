// SocketAddress+Octets: an address as protocols carry it, as its octets or as exact text, without
// the interface that only this host knows; and the IPv4 addresses that come mapped into IPv6.

import Glibc

extension SocketAddress {
    /// An address from its octets in network order, 4 of IPv4 or 16 of IPv6; nil for other counts.
    public init?(octets bytes: RawSpan, port: UInt16) {
        var octets = InlineOctets()
        switch bytes.byteCount {
        case 4:
            octets.high = UInt64(bytes.unsafeLoadUnaligned(as: UInt32.self))
            self.init(family: .v4, octets: octets, scope: 0, port: port)
        case 16:
            octets.high = bytes.unsafeLoadUnaligned(as: UInt64.self)
            octets.low = bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
            self.init(family: .v6, octets: octets, scope: 0, port: port)
        default:
            return nil
        }
    }

    /// Appends the octets in network order: 4 of IPv4, 16 of IPv6.
    public func appendOctets(to bytes: inout [UInt8]) {
        switch family {
        case .v4:
            let octets = UInt32(truncatingIfNeeded: octets.high)
            withUnsafeBytes(of: octets) { bytes.append(contentsOf: $0) }
        case .v6:
            withUnsafeBytes(of: octets) { bytes.append(contentsOf: $0) }
        }
    }

    /// An address from its exact text (inet_pton(3)): four decimal numbers without leading zeros,
    /// or the groups of IPv6. `init(host:port:)` also takes `127.1`, `0x7f000001` and interfaces.
    public init?(exactHost text: String, family: Family, port: UInt16) {
        // The C library would take the text up to the zero for all of it.
        guard !text.utf8.contains(0) else { return nil }
        var octets = InlineOctets()
        guard inet_pton(family == .v4 ? AF_INET : AF_INET6, text, &octets) == 1 else { return nil }
        self.init(family: family, octets: octets, scope: 0, port: port)
    }

    /// The host as exact text (inet_ntop(3)), without brackets.
    public var exactHost: String {
        var octets = octets
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) {
            text in
            // It cannot fail: the family is known and the longest text fits.
            guard let base = text.baseAddress,
                inet_ntop(
                    family == .v4 ? AF_INET : AF_INET6,
                    &octets,
                    base,
                    socklen_t(text.count)
                ) != nil
            else { return "" }
            return String(cString: base)
        }
    }

    /// The address as a number: the first octet is the most significant.
    var bits: UInt128 {
        switch family {
        case .v4: UInt128(UInt32(bigEndian: UInt32(truncatingIfNeeded: octets.high)))
        case .v6:
            UInt128(UInt64(bigEndian: octets.high)) << 64 | UInt128(UInt64(bigEndian: octets.low))
        }
    }

    /// The IPv4 address that is mapped into this one (RFC 4291, 2.5.5.2), as on a listener for
    /// both; itself where none is.
    public var unmapped: SocketAddress {
        guard family == .v6, bits >> 32 == 0xffff else { return self }
        var octets = InlineOctets()
        octets.high = UInt64(UInt32(truncatingIfNeeded: bits).bigEndian)
        return SocketAddress(family: .v4, octets: octets, scope: 0, port: port)
    }

    /// The same address without the interface of this host that it is reached by.
    public var unscoped: SocketAddress {
        SocketAddress(family: family, octets: octets, scope: 0, port: port)
    }

    /// What stands for everything that one client can connect from: its IPv4 address, also where it
    /// comes mapped; of an IPv6 address the first 64 bits, since hosts choose the others freely.
    public var source: SocketAddress {
        let address = unmapped
        let octets = InlineOctets(high: address.octets.high, low: 0)
        return SocketAddress(family: address.family, octets: octets, scope: 0, port: 0)
    }
}
