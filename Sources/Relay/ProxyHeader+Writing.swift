// ProxyHeader+Writing: the bytes of a PROXY header, as an upstream is to receive them before
// anything of the client's.

import Net

extension ProxyHeader {
    /// The bytes of the header, which are to be sent before anything else.
    ///
    /// - Parameter checksum: whether version 2 carries one (CRC32c). TCP has its own, so this is
    ///   for receivers that ask for it.
    public func encoded(as version: ProxyVersion, checksum: Bool = false) -> [UInt8] {
        switch version {
        case .v1: Array(line.utf8)
        case .v2: binary(checksum: checksum)
        }
    }

    private var line: String {
        // Version 1 has no word for a connection of the proxy's own.
        guard let ends else { return "PROXY UNKNOWN\r\n" }
        let (source, destination) = (ends.source, ends.destination)
        return """
            PROXY \(source.family == .v4 ? "TCP4" : "TCP6") \
            \(source.exactHost) \(destination.exactHost) \(source.port) \(destination.port)\r\n
            """
    }

    private func binary(checksum: Bool) -> [UInt8] {
        var bytes = ProxyHeader.signature
        bytes.append(isLocal ? 0x20 : 0x21)
        switch ends?.source.family {
        case .v4: bytes.append(0x11)
        case .v6: bytes.append(0x21)
        case nil: bytes.append(0x00)
        }
        let lengthPlace = bytes.count
        bytes.append(contentsOf: [0, 0])
        if let ends {
            ends.source.appendOctets(to: &bytes)
            ends.destination.appendOctets(to: &bytes)
            bytes.append(bigEndian: ends.source.port)
            bytes.append(bigEndian: ends.destination.port)
        }
        bytes.append(contentsOf: tlvs)
        // What LOCAL carries is not looked at.
        let hasChecksum = checksum && !isLocal
        if hasChecksum {
            bytes.append(contentsOf: [TLV.checksum, 0, 4, 0, 0, 0, 0])
        }
        let bodyBytes = UInt16(bytes.count - ProxyHeader.headBytes)
        bytes[lengthPlace] = UInt8(bodyBytes >> 8)
        bytes[lengthPlace + 1] = UInt8(bodyBytes & 255)
        if hasChecksum {
            let field = bytes.count - 4..<bytes.count
            let sum = CRC32C.checksum(of: bytes.span.bytes, withoutField: field)
            bytes.removeLast(field.count)
            bytes.append(bigEndian: sum)
        }
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
