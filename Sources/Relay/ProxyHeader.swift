// ProxyHeader: what a proxy says of a connection before the connection's first byte, so that the
// next one knows the client although it sees only the proxy. Versions 1 and 2 of the PROXY protocol
// (doc/proxy-protocol.txt of HAProxy). Plain values here, without I/O; reading is in
// ProxyHeader+Parsing.swift, writing in ProxyHeader+Writing.swift.

public import Net

/// The versions of the PROXY protocol.
public enum ProxyVersion: String, CaseIterable, Sendable {
    /// A line of text.
    case v1
    /// Binary, with room for more than addresses.
    case v2
}

/// What is said of a connection. Without ends it is only said that there is a proxy.
public struct ProxyHeader: Equatable, Sendable {
    /// From where to where the client has connected, as its first proxy saw it.
    public struct Ends: Equatable, Sendable {
        /// The client.
        public let source: SocketAddress
        /// Where it had connected to.
        public let destination: SocketAddress

        /// A header has one family for both, so there are none for a mixed pair. IPv4 mapped into
        /// IPv6 is IPv4 again, where both can be. Interfaces are left out: they are of one host.
        public init?(source: SocketAddress, destination: SocketAddress) {
            if source.unmapped.family == destination.unmapped.family {
                self.source = source.unmapped.unscoped
                self.destination = destination.unmapped.unscoped
            } else if source.family == destination.family {
                self.source = source.unscoped
                self.destination = destination.unscoped
            } else {
                return nil
            }
        }
    }

    /// Whether the proxy made the connection for itself, such as to see whether anybody answers.
    /// Nothing else is said then.
    public let isLocal: Bool
    /// Nil where the ends are unknown, or are no addresses of TCP; those of the connection itself
    /// hold then.
    public let ends: Ends?
    /// Further notes as version 2 carries them (TLVs), but for the checksum, which is of one header
    /// alone.
    public let tlvs: [UInt8]

    /// A header for a client's connection.
    ///
    /// - Parameter tlvs: as they were read from another header; only version 2 carries them.
    public init(ends: Ends?, tlvs: [UInt8] = []) {
        precondition(tlvs.count <= ProxyHeader.tlvBytesMax, "a header has no room for its TLVs")
        isLocal = false
        self.ends = ends
        self.tlvs = tlvs
    }

    private init(isLocal: Bool) {
        self.isLocal = isLocal
        ends = nil
        tlvs = []
    }

    /// The header of a connection that a proxy makes for itself.
    public static let local = ProxyHeader(isLocal: true)

    /// How long version 2 may be behind its first 16 bytes, where nothing else is said.
    public static let bodyBytesMax = 2048

    /// What the length of version 2 leaves for TLVs beside IPv6 addresses and a checksum.
    static let tlvBytesMax = Int(UInt16.max) - 2 * (16 + 2) - TLV.checksumBytes
}

extension ProxyHeader {
    /// What the bytes received so far are.
    public enum Reading: Equatable, Sendable {
        /// The beginning of a header.
        case more
        /// A header that ends where `byteCount` bytes have been read.
        case complete(ProxyHeader, byteCount: Int)
        /// None, whatever may follow. The connection is to be cut.
        case malformed(Fault)
    }

    /// Why bytes are no header.
    public enum Fault: String, Error, CaseIterable, Sendable, CustomStringConvertible {
        case noSignature = "it does not begin like a PROXY header"

        case lineTooLong = "its line does not end within 107 bytes"
        case lineEndAlone = "its line has CR or LF, but not one behind the other"
        case unknownProtocol = "it names none of TCP4, TCP6 and UNKNOWN"
        case wrongFields = "it does not have two addresses and two ports, one space between each"
        case wrongAddress = "an address is none of its family"
        case wrongPort = "a port is no number from 0 to 65535"

        case unknownVersion = "its version is not 2"
        case unknownCommand = "its command is neither LOCAL nor PROXY"
        case unknownFamily = "its address family is unknown"
        case unknownTransport = "its transport is unknown"
        case bodyTooLong = "it is longer than allowed"
        case bodyTooShort = "it is shorter than its addresses"
        case tlvTooLong = "a TLV passes its end"
        case uniqueIDTooLong = "its unique ID has more than 128 bytes"
        case checksumMalformed = "its checksum does not have 4 bytes, or there are two"
        case checksumWrong = "its checksum is wrong"

        /// In one line.
        public var description: String { rawValue }
    }

    /// The parts of a TLV, and the types that mean something here.
    enum TLV {
        /// Its type and the length of its value.
        static let headBytes = 3
        static let checksum: UInt8 = 0x03
        static let checksumBytes = headBytes + 4
        static let uniqueID: UInt8 = 0x05
        static let uniqueIDBytesMax = 128
    }
}

/// Reads the header of one connection, in whatever pieces it arrives. Nothing is kept where it
/// arrives whole, and otherwise no more than the longest header.
public struct ProxyHeaderReader: Sendable {
    private var kept: [UInt8] = []
    private let bodyBytesMax: Int

    /// - Parameter bodyBytesMax: how long version 2 may be behind its first 16 bytes.
    public init(bodyBytesMax: Int = ProxyHeader.bodyBytesMax) { self.bodyBytesMax = bodyBytesMax }

    /// Whether a part of a header has arrived.
    public var hasBegun: Bool { !kept.isEmpty }

    /// Takes what has arrived next. `byteCount` of a complete header is how many of these bytes
    /// belong to it; what follows is the client's. Not to be called again after that.
    public mutating func take(_ bytes: RawSpan) -> ProxyHeader.Reading {
        let before = kept.count
        guard before > 0 else {
            let reading = ProxyHeader.read(bytes, bodyBytesMax: bodyBytesMax)
            if reading == .more { keep(bytes) }
            return reading
        }
        keep(bytes)
        let reading = ProxyHeader.read(kept.span.bytes, bodyBytesMax: bodyBytesMax)
        switch reading {
        case .more: return .more
        case .complete(let header, let byteCount):
            kept = []
            return .complete(header, byteCount: byteCount - before)
        case .malformed:
            kept = []
            return reading
        }
    }

    private mutating func keep(_ bytes: RawSpan) {
        // A header is complete or malformed once so many have arrived.
        let room = ProxyHeader.bytesMax(bodyBytesMax: bodyBytesMax) - kept.count
        bytes.extracting(first: room).withUnsafeBytes { kept.append(contentsOf: $0) }
    }
}
