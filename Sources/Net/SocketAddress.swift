// SocketAddress: an IPv4 or IPv6 address with a port, read from and written as text, and handed to
// the kernel as a sockaddr. A trivial value.

import CLinux
import Glibc

/// An IP address and port.
public struct SocketAddress: Equatable, Hashable, Sendable {
    /// The version of IP.
    public enum Family: Sendable { case v4, v6 }

    /// The version of IP.
    public let family: Family
    /// The address in network order: four bytes for IPv4, sixteen for IPv6, the rest zero.
    let octets: InlineOctets
    /// The interface of a link-local IPv6 address, otherwise 0.
    let scope: UInt32
    /// The port in host order.
    public var port: UInt16

    init(family: Family, octets: InlineOctets, scope: UInt32, port: UInt16) {
        self.family = family
        self.octets = octets
        self.scope = scope
        self.port = port
    }

    /// The same address with port 0: what connections from one host have in common.
    public var host: SocketAddress {
        var host = self
        host.port = 0
        return host
    }

    /// Reads `127.0.0.1:8888`, `[::1]:8888` or `[fe80::1%eth0]:8888`.
    ///
    /// - Throws: `AddressError` that says what is wrong with the text.
    public init(parsing text: String) throws(AddressError) {
        let (host, port) = try SocketAddress.splitHostAndPort(text)
        guard let address = SocketAddress(host: host, port: port) else {
            throw AddressError(text: text, problem: .hostIsNoAddress)
        }
        self = address
    }

    /// An address whose host is written in digits, or nil where it is a name or malformed.
    public init?(host: String, port: UInt16) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        guard let first = SocketAddress.lookUp(host: host, port: port, hints: hints).first else {
            return nil
        }
        self = first
    }

    /// All addresses of a host, given as a name or in digits (getaddrinfo(3)), in the system's
    /// order.
    public static func resolve(host: String, port: UInt16) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG
        return lookUp(host: host, port: port, hints: hints)
    }

    /// Splits `HOST:PORT` and `[HOST]:PORT`.
    public static func splitHostAndPort(
        _ text: String
    ) throws(AddressError) -> (host: String, port: UInt16) {
        guard let colon = text.lastIndex(of: ":") else {
            throw AddressError(text: text, problem: .portIsMissing)
        }
        var host = text[..<colon]
        guard let port = UInt16(text[text.index(after: colon)...]) else {
            throw AddressError(text: text, problem: .portIsNoNumber)
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw AddressError(text: text, problem: .bracketsAreMissing)
        }
        guard !host.isEmpty else { throw AddressError(text: text, problem: .hostIsMissing) }
        return (String(host), port)
    }

    private static func lookUp(
        host: String,
        port: UInt16,
        hints: addrinfo
    ) -> [SocketAddress] {
        // The C library would take the text up to the zero for all of it.
        guard !host.utf8.contains(0) else { return [] }
        var hints = hints
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var node = list
        while let entry = node {
            if let address = SocketAddress(UnsafeRawPointer(entry.pointee.ai_addr)) {
                addresses.append(address)
            }
            node = entry.pointee.ai_next
        }
        return addresses
    }
}

/// Sixteen bytes of an address.
struct InlineOctets: Equatable, Hashable, Sendable {
    var high: UInt64 = 0
    var low: UInt64 = 0
}

// ---- the kernel's form ----

extension SocketAddress {
    /// The bytes that the largest form takes (sockaddr_in6).
    public static let storageBytes = MemoryLayout<sockaddr_in6>.size

    /// Reads a sockaddr_in or sockaddr_in6; nil for another family.
    init?(_ pointer: UnsafeRawPointer?) {
        guard let pointer else { return nil }
        switch Int32(pointer.load(as: sockaddr.self).sa_family) {
        case AF_INET:
            let address = pointer.load(as: sockaddr_in.self)
            family = .v4
            octets = InlineOctets(high: UInt64(address.sin_addr.s_addr), low: 0)
            scope = 0
            port = UInt16(bigEndian: address.sin_port)
        case AF_INET6:
            let address = pointer.load(as: sockaddr_in6.self)
            family = .v6
            octets = withUnsafeBytes(of: address.sin6_addr) { $0.load(as: InlineOctets.self) }
            scope = address.sin6_scope_id
            port = UInt16(bigEndian: address.sin6_port)
        default:
            return nil
        }
    }

    /// Writes the kernel's form to `storage`, which holds at least `storageBytes`, aligned to 8.
    /// - Returns: the bytes written.
    @discardableResult
    public func write(to storage: UnsafeMutableRawPointer) -> UInt32 {
        switch family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: octets.high)
            storage.storeBytes(of: address, as: sockaddr_in.self)
            return UInt32(MemoryLayout<sockaddr_in>.size)
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &address.sin6_addr) {
                $0.storeBytes(of: octets, as: InlineOctets.self)
            }
            storage.storeBytes(of: address, as: sockaddr_in6.self)
            return UInt32(MemoryLayout<sockaddr_in6>.size)
        }
    }

    /// Calls `body` with the kernel's form and its length.
    func withKernelForm<Result>(_ body: (UnsafeRawPointer, UInt32) -> Result) -> Result {
        withUnsafeTemporaryAllocation(byteCount: SocketAddress.storageBytes, alignment: 8) {
            storage in
            let length = write(to: storage.baseAddress!)
            return body(UnsafeRawPointer(storage.baseAddress!), length)
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:8888` or `[::1]:8888`.
    public var description: String {
        withKernelForm { address, length in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
                getnameinfo(
                    address.assumingMemoryBound(to: sockaddr.self),
                    length,
                    text.baseAddress,
                    socklen_t(text.count),
                    nil,
                    0,
                    NI_NUMERICHOST
                )
                let host = String(cString: text.baseAddress!)
                return family == .v6 ? "[\(host)]:\(port)" : "\(host):\(port)"
            }
        }
    }
}

/// What is wrong with the text of an address.
public struct AddressError: Error, Equatable, Sendable {
    /// The kinds of mistake.
    public enum Problem: Sendable {
        case portIsMissing, portIsNoNumber, hostIsMissing, hostIsNoAddress, bracketsAreMissing
    }

    /// The text as it was given.
    public let text: String
    /// What is wrong with it.
    public let problem: Problem
}

extension AddressError: CustomStringConvertible {
    /// One line with the cause and a good example.
    public var description: String {
        let cause =
            switch problem {
            case .portIsMissing: "has no port"
            case .portIsNoNumber: "has no port between 0 and 65535"
            case .hostIsMissing: "has no host"
            case .hostIsNoAddress: "has no IPv4 or IPv6 address"
            case .bracketsAreMissing: "needs brackets round its IPv6 address"
            }
        return "the address '\(text)' \(cause); write it like 127.0.0.1:8888 or [::1]:8888"
    }
}
