// AddressPrefix: the addresses that begin alike, written as in `127.0.0.0/8`.

/// A run of addresses of one family (CIDR, RFC 4632 and RFC 4291).
public struct AddressPrefix: Equatable, Sendable {
    /// The first address; its port is 0.
    public let first: SocketAddress
    /// How many leading bits all addresses share.
    public let length: Int

    /// Reads `127.0.0.0/8`, `fd00::/64`, or a single address without a length. Bits behind the
    /// length have to be zero.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count),
            let first = SocketAddress(host: String(parts[0]), port: 0)
        else { return nil }
        let bits = first.family == .v4 ? 32 : 128
        var length = bits
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(parts[1]),
                number <= bits
            else { return nil }
            length = number
        }
        guard first.bits & AddressPrefix.hostMask(bits: bits - length) == 0 else { return nil }
        self.first = first
        self.length = length
    }

    /// How many addresses there are; `Int.max` where there are more.
    public var count: Int {
        let bits = (first.family == .v4 ? 32 : 128) - length
        return bits >= Int.bitWidth - 1 ? .max : 1 << bits
    }

    /// The address at a place from 0 up to `count`.
    public subscript(_ place: Int) -> SocketAddress { first.advanced(by: place) }

    /// Whether an address is one of these. An IPv4 address may come mapped into IPv6 (RFC 4291,
    /// 2.5.5.2), as on a listener for both.
    public func contains(_ address: SocketAddress) -> Bool {
        let address = first.family == .v4 ? address.unmapped : address
        guard address.family == first.family else { return false }
        let bits = first.family == .v4 ? 32 : 128
        return (address.bits ^ first.bits) & ~AddressPrefix.hostMask(bits: bits - length) == 0
    }

    private static func hostMask(bits: Int) -> UInt128 {
        bits == 128 ? .max : (1 << UInt128(bits)) - 1
    }
}

extension SocketAddress {
    /// The address so many places on.
    fileprivate func advanced(by distance: Int) -> SocketAddress {
        let sum = bits &+ UInt128(distance)
        var moved = InlineOctets()
        switch family {
        case .v4:
            moved.high = UInt64(UInt32(truncatingIfNeeded: sum).bigEndian)
        case .v6:
            moved.high = UInt64(truncatingIfNeeded: sum >> 64).bigEndian
            moved.low = UInt64(truncatingIfNeeded: sum).bigEndian
        }
        return SocketAddress(family: family, octets: moved, scope: scope, port: port)
    }
}
