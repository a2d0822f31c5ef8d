// ProxyHeader+Parsing: reads a PROXY header. The bytes come from whoever can connect, so everything
// has a limit and everything is checked; and what is wrong is said at the first byte that is, so
// that the answer does not depend on the pieces in which a header arrives.

import Net

extension ProxyHeader {
    /// Reads the header that connections begin with.
    ///
    /// - Parameters:
    ///   - bytes: all that has been received of the connection so far.
    ///   - bodyBytesMax: how long version 2 may be behind its first 16 bytes.
    public static func read(
        _ bytes: RawSpan,
        bodyBytesMax: Int = ProxyHeader.bodyBytesMax
    ) -> Reading {
        guard bytes.byteCount > 0 else { return .more }
        do throws(Fault) {
            return bytes.byte(0) == signature[0]
                ? try readBinary(bytes, bodyBytesMax: bodyBytesMax) : try readLine(bytes)
        } catch {
            return .malformed(error)
        }
    }

    /// How many bytes are enough to tell a header from what is none.
    static func bytesMax(bodyBytesMax: Int) -> Int { max(lineBytesMax, headBytes + bodyBytesMax) }

    private static func demandStart(
        _ bytes: RawSpan,
        _ start: [UInt8]
    ) throws(Fault) {
        for index in 0..<min(bytes.byteCount, start.count) {
            guard bytes.byte(index) == start[index] else { throw .noSignature }
        }
    }

    // ---- version 1 ----

    /// The longest line, CRLF included.
    private static let lineBytesMax = 107
    private static let lineStart = Array("PROXY ".utf8)
    private static let (space, carriageReturn, lineFeed): (UInt8, UInt8, UInt8) = (32, 13, 10)

    private static func readLine(_ bytes: RawSpan) throws(Fault) -> Reading {
        try demandStart(bytes, lineStart)
        guard let end = try lineEnd(bytes) else { return .more }
        let line = bytes.extracting(first: end).withUnsafeBytes { Array($0) }
        let fields = line.split(separator: space, omittingEmptySubsequences: false)
        return .complete(try header(fields), byteCount: end + 2)
    }

    /// Where CRLF is; nil where it may still come.
    private static func lineEnd(_ bytes: RawSpan) throws(Fault) -> Int? {
        for index in 0..<min(bytes.byteCount, lineBytesMax) {
            let byte = bytes.byte(index)
            guard byte == carriageReturn || byte == lineFeed else { continue }
            guard byte == carriageReturn else { throw .lineEndAlone }
            guard index + 2 <= lineBytesMax else { throw .lineTooLong }
            guard index + 1 < bytes.byteCount else { return nil }
            guard bytes.byte(index + 1) == lineFeed else { throw .lineEndAlone }
            return index
        }
        guard bytes.byteCount < lineBytesMax else { throw .lineTooLong }
        return nil
    }

    private static func header(_ fields: [ArraySlice<UInt8>]) throws(Fault) -> ProxyHeader {
        let family: SocketAddress.Family
        switch String(decoding: fields[1], as: UTF8.self) {
        case "TCP4": family = .v4
        case "TCP6": family = .v6
        // What follows UNKNOWN is to be ignored.
        case "UNKNOWN": return ProxyHeader(ends: nil)
        default: throw .unknownProtocol
        }
        guard fields.count == 6 else { throw .wrongFields }
        let (sourcePort, destinationPort) = (try port(fields[4]), try port(fields[5]))
        guard let source = address(fields[2], family, sourcePort),
            let destination = address(fields[3], family, destinationPort)
        else { throw .wrongAddress }
        return ProxyHeader(ends: Ends(source: source, destination: destination))
    }

    private static func address(
        _ text: ArraySlice<UInt8>,
        _ family: SocketAddress.Family,
        _ port: UInt16
    ) -> SocketAddress? {
        // IPv4 mapped into IPv6 may be written with dots: HAProxy does so.
        let host = String(decoding: text, as: UTF8.self)
        return SocketAddress(exactHost: host, family: family, port: port)
    }

    private static func port(_ digits: ArraySlice<UInt8>) throws(Fault) -> UInt16 {
        // No sign, and no zero in front of other digits, which could be taken for octal.
        guard digits.allSatisfy({ (48...57).contains($0) }),
            digits.count == 1 || digits.first != 48,
            let port = UInt16(String(decoding: digits, as: UTF8.self))
        else { throw .wrongPort }
        return port
    }

    // ---- version 2 ----

    /// What version 2 begins with.
    static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]
    /// The bytes before the addresses: signature, version, command, family, transport and length.
    static let headBytes = 16

    private static func readBinary(
        _ bytes: RawSpan,
        bodyBytesMax: Int
    ) throws(Fault) -> Reading {
        try demandStart(bytes, signature)
        guard bytes.byteCount > 12 else { return .more }
        guard bytes.byte(12) >> 4 == 2 else { throw .unknownVersion }
        guard bytes.byte(12) & 15 <= 1 else { throw .unknownCommand }
        let isLocal = bytes.byte(12) & 15 == 0
        guard bytes.byteCount > 13 else { return .more }
        // LOCAL has its connection's own ends, whatever else it says.
        let layout = isLocal ? Layout.unspecified : try Layout(bytes.byte(13))
        guard bytes.byteCount >= headBytes else { return .more }
        let bodyBytes = Int(bytes.number(at: 14))
        guard bodyBytes <= bodyBytesMax else { throw .bodyTooLong }
        guard bodyBytes >= layout.addressBytes else { throw .bodyTooShort }
        guard bytes.byteCount >= headBytes + bodyBytes else { return .more }
        let header = bytes.extracting(first: headBytes + bodyBytes)
        return .complete(
            isLocal ? .local : try self.header(header, layout),
            byteCount: header.byteCount
        )
    }

    /// What the fourteenth byte says of the addresses.
    private struct Layout: Equatable {
        /// What they take altogether.
        var addressBytes = 0
        /// How many octets each has; 0 where they are none of TCP's.
        var octetCount = 0

        static let unspecified = Layout()

        private init() {}

        init(_ byte: UInt8) throws(Fault) {
            guard byte >> 4 <= 3 else { throw .unknownFamily }
            guard byte & 15 <= 2 else { throw .unknownTransport }
            switch (byte >> 4, byte & 15) {
            case (0, _), (_, 0): break
            case (1, let transport):
                addressBytes = 2 * (4 + 2)
                octetCount = transport == 1 ? 4 : 0
            case (2, let transport):
                addressBytes = 2 * (16 + 2)
                octetCount = transport == 1 ? 16 : 0
            default:
                // Two paths of UNIX sockets.
                addressBytes = 2 * 108
            }
        }
    }

    private static func header(_ bytes: RawSpan, _ layout: Layout) throws(Fault) -> ProxyHeader {
        let start = headBytes + layout.addressBytes
        do throws(Fault) {
            return ProxyHeader(ends: ends(bytes, layout), tlvs: try tlvs(bytes, from: start))
        } catch {
            // Unspecified addresses are of any length, and are to be ignored.
            guard layout == .unspecified, error == .tlvTooLong else { throw error }
            return ProxyHeader(ends: nil)
        }
    }

    private static func ends(_ bytes: RawSpan, _ layout: Layout) -> Ends? {
        let octets = layout.octetCount
        let destinationStart = headBytes + octets
        let portsStart = destinationStart + octets
        guard octets > 0,
            let source = SocketAddress(
                octets: bytes.extracting(headBytes..<destinationStart),
                port: bytes.number(at: portsStart)
            ),
            let destination = SocketAddress(
                octets: bytes.extracting(destinationStart..<portsStart),
                port: bytes.number(at: portsStart + 2)
            )
        else { return nil }
        return Ends(source: source, destination: destination)
    }

    /// The TLVs to the end, but for the checksum, which is verified.
    private static func tlvs(_ bytes: RawSpan, from start: Int) throws(Fault) -> [UInt8] {
        var tlvs: [UInt8] = []
        var position = start
        var checksumPosition: Int?
        while position < bytes.byteCount {
            let value = position + TLV.headBytes
            guard value <= bytes.byteCount else { throw .tlvTooLong }
            let end = value + Int(bytes.number(at: position + 1))
            guard end <= bytes.byteCount else { throw .tlvTooLong }
            switch bytes.byte(position) {
            case TLV.checksum:
                guard end == position + TLV.checksumBytes, checksumPosition == nil else {
                    throw .checksumMalformed
                }
                checksumPosition = value
            case TLV.uniqueID where end - value > TLV.uniqueIDBytesMax:
                throw .uniqueIDTooLong
            default:
                bytes.extracting(position..<end).withUnsafeBytes { tlvs.append(contentsOf: $0) }
            }
            position = end
        }
        if let checksumPosition {
            let field = checksumPosition..<checksumPosition + 4
            let found = bytes.number(at: field.lowerBound, as: UInt32.self)
            guard CRC32C.checksum(of: bytes, withoutField: field) == found else {
                throw .checksumWrong
            }
        }
        return tlvs
    }
}

extension RawSpan {
    /// The byte at a place.
    func byte(_ place: Int) -> UInt8 { unsafeLoad(fromByteOffset: place, as: UInt8.self) }

    /// The number that begins at a place, in network order.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at place: Int,
        as type: Number.Type = UInt16.self
    ) -> Number {
        Number(bigEndian: unsafeLoadUnaligned(fromByteOffset: place, as: type))
    }
}
