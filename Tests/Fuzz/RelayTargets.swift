// What the relay reads: upstreams and the networks that may connect, of its command line; and the
// PROXY headers of whoever connects.

import Net
import Relay

func checkUpstreamOptions(_ text: String) throws {
    let options: UpstreamOptions
    do throws(UpstreamOptionsError) {
        options = try UpstreamOptions(parsing: text)
    } catch {
        try demand(!error.description.isEmpty, "a refusal says why")
        try demand(!error.description.contains("\n") || text.contains("\n"), "in one line")
        return
    }
    try demand(options.port > 0 && !options.host.isEmpty, "there is something to connect to")
    try demand((1...UpstreamOptions.weightMax).contains(options.weight), "the weight is in range")
    try demand(options.connectionsMax >= 0, "the limit is a number of connections")
    var written = options.target + ",weight=\(options.weight)"
    if options.isBackup { written += ",backup" }
    if options.connectionsMax > 0 { written += ",max-connections=\(options.connectionsMax)" }
    try demand(try UpstreamOptions(parsing: written) == options, "it is read as it was written")
}

func checkAddressPrefix(_ text: String) throws {
    guard let prefix = AddressPrefix(parsing: text) else { return }
    try demand(prefix.contains(prefix.first), "a network has its first address")
    try demand(prefix.contains(prefix[min(prefix.count - 1, 1 << 20)]), "and those that follow")
    let other = SocketAddress(host: prefix.first.family == .v4 ? "fd00::1" : "10.0.0.1", port: 1)!
    try demand(!prefix.contains(other), "and none of the other family")
}

/// Lines such as `+10.0.0.0/8` and `-fd00::/8` allow and deny; the others are who connects.
func checkAccessList(_ text: String) throws {
    var (allow, deny, clients): ([AddressPrefix], [AddressPrefix], [SocketAddress]) = ([], [], [])
    for line in text.split(whereSeparator: \.isNewline) {
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": AddressPrefix(parsing: rest).map { allow.append($0) }
        case "-": AddressPrefix(parsing: rest).map { deny.append($0) }
        default: SocketAddress(host: String(line), port: 1).map { clients.append($0) }
        }
    }
    let list = AccessList(allow: allow, deny: deny)
    for client in clients + (allow + deny).map(\.first) {
        let allowed = allow.filter { commonBits($0.first, client) >= $0.length }.map(\.length).max()
        let denied = deny.filter { commonBits($0.first, client) >= $0.length }.map(\.length).max()
        let isPermitted =
            switch (allowed, denied) {
            case (let allowed?, let denied?): allowed > denied
            case (nil, _?): false
            case (_?, nil): true
            case (nil, nil): allow.isEmpty
            }
        try demand(list.permits(client) == isPermitted, "the smallest network of \(client) decides")
    }
}

/// How many leading bits a network's first address shares with another, which may be IPv4 mapped
/// into IPv6; -1 where the families differ.
private func commonBits(_ first: SocketAddress, _ other: SocketAddress) -> Int {
    let other = first.family == .v4 ? other.unmapped : other
    guard first.family == other.family else { return -1 }
    var (left, right): ([UInt8], [UInt8]) = ([], [])
    first.appendOctets(to: &left)
    other.appendOctets(to: &right)
    guard let place = left.indices.first(where: { left[$0] != right[$0] }) else {
        return left.count * 8
    }
    return place * 8 + (left[place] ^ right[place]).leadingZeroBitCount
}

func checkProxyHeader(_ bytes: [UInt8]) throws {
    let reading = ProxyHeader.read(bytes.span.bytes)
    try checkPieces(bytes, reading)
    guard case .complete(let header, let byteCount) = reading else { return }
    try demand((1...bytes.count).contains(byteCount), "a header is of the bytes it was read from")
    let own = Array(bytes[..<byteCount])
    try demand(ProxyHeader.read(own.span.bytes) == reading, "what follows a header does not matter")
    try demand(header.tlvs.count <= ProxyHeader.bodyBytesMax, "TLVs are within the limit")
    if let ends = header.ends {
        try demand(ends.source.family == ends.destination.family, "both ends are of one family")
        let again = ProxyHeader.Ends(source: ends.source, destination: ends.destination)
        try demand(again == ends, "ends are as simple as they can be")
    }
    for checksum in [false, true] {
        let written = header.encoded(as: .v2, checksum: checksum)
        // Other addresses may be longer, and so may a checksum.
        let again = ProxyHeader.read((written + [7]).span.bytes, bodyBytesMax: .max - 16)
        try demand(
            again == .complete(header, byteCount: written.count),
            "version 2 is read as it was written"
        )
    }
    let line = header.encoded(as: .v1)
    try demand(
        ProxyHeader.read(line.span.bytes)
            == .complete(ProxyHeader(ends: header.ends), byteCount: line.count),
        "version 1 is read as it was written"
    )
}

/// The answer is the same, and comes as early, byte by byte and in two pieces.
private func checkPieces(_ bytes: [UInt8], _ reading: ProxyHeader.Reading) throws {
    var reader = ProxyHeaderReader()
    var found = ProxyHeader.Reading.more
    var taken = 0
    while found == .more, taken < bytes.count {
        found = reader.take([bytes[taken]].span.bytes)
        taken += 1
    }
    switch (reading, found) {
    case (.complete(let header, let byteCount), .complete(let again, 1)):
        try demand(header == again && byteCount == taken, "a header is the same byte by byte")
    default:
        try demand(reading == found, "\(reading) is \(found) byte by byte")
    }
    guard taken > 1 else { return }
    let cut = taken / 2
    reader = ProxyHeaderReader()
    try demand(reader.take(Array(bytes[..<cut]).span.bytes) == .more, "half of it is not enough")
    let rest = reader.take(Array(bytes[cut...]).span.bytes)
    if case .complete(let header, let byteCount) = reading {
        try demand(rest == .complete(header, byteCount: byteCount - cut), "two pieces are a header")
    } else {
        try demand(rest == reading, "\(reading) is \(rest) in two pieces")
    }
}

func checkEscapedText(_ text: String) throws {
    guard let bytes = try? EscapedText.bytes(of: text) else {
        return try demand(text.utf8.contains(UInt8(ascii: "\\")), "what has no escape is itself")
    }
    try demand(bytes.count <= text.utf8.count, "an escape is not shorter than its byte")
    let written = bytes.map { byte in
        let digits = String(byte, radix: 16)
        return "\\x" + (digits.count == 1 ? "0" : "") + digits
    }
    try demand(
        (try? EscapedText.bytes(of: written.joined())) == bytes,
        "every byte can be written as an escape"
    )
}
