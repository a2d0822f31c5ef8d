// Version 2 of the PROXY protocol, and how headers are written and come in pieces. Where a test of
// nginx-tests (stream_proxy_protocol, proxy_protocol2) or of HAProxy's reg-tests
// (proxy_protocol_...) has the scenario, the comment has its name.

import Net
import Testing

@testable import Relay

/// The ends of a connection, from text.
func ends(_ source: String, _ destination: String) throws -> ProxyHeader.Ends {
    try #require(
        ProxyHeader.Ends(
            source: try SocketAddress(parsing: source),
            destination: try SocketAddress(parsing: destination)
        )
    )
}

func read(_ text: String) -> ProxyHeader.Reading { read(Array(text.utf8)) }

func read(_ bytes: [UInt8]) -> ProxyHeader.Reading { ProxyHeader.read(bytes.span.bytes) }

struct ProxyHeaderTests {
    /// Bytes of version 2.
    private func binary(
        _ body: [UInt8],
        _ command: UInt8 = 0x21,
        _ family: UInt8 = 0x11,
        length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? body.count
        return ProxyHeader.signature
            + [command, family, UInt8(length >> 8), UInt8(length & 255)] + body
    }

    // 192.0.2.1:123 to 192.0.2.2:5678, as nginx-tests have it.
    private let body4: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 0, 123, 0x16, 0x2e]
    private let body6: [UInt8] =
        [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
        + [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [2] + [0, 123, 0x16, 0x2e]

    // ---- version 2, read ----

    /// proxy_protocol2: tcp4, tcp6.
    @Test func addressesAreRead() throws {
        let header4 = ProxyHeader(ends: try ends("192.0.2.1:123", "192.0.2.2:5678"))
        #expect(read(binary(body4) + [1]) == .complete(header4, byteCount: 28))
        let header6 = ProxyHeader(ends: try ends("[2001:db8::1]:123", "[2001:db8::2]:5678"))
        #expect(read(binary(body6, 0x21, 0x21) + [1]) == .complete(header6, byteCount: 52))
    }

    /// proxy_protocol2: tlv (three empty ones of type 0).
    @Test func tlvsAreKept() throws {
        let tlvs = [UInt8](repeating: 0, count: 9)
        let header = ProxyHeader(ends: try ends("192.0.2.1:123", "192.0.2.2:5678"), tlvs: tlvs)
        #expect(read(binary(body4 + tlvs)) == .complete(header, byteCount: 37))
    }

    /// proxy_protocol2: unknown 1. Families and transports that are known by name but have no
    /// addresses of TCP.
    @Test(arguments: [
        (UInt8(0x00), 0), (0x01, 0), (0x02, 0), (0x10, 0), (0x20, 0), (0x30, 0),
        (0x12, 12), (0x22, 36), (0x31, 216), (0x32, 216),
    ])
    func otherFamiliesHaveNoEnds(_ family: UInt8, _ addressBytes: Int) {
        let tlv: [UInt8] = [0xe1, 0, 3, 7, 0, 8]
        let body = [UInt8](repeating: 0x55, count: addressBytes) + tlv
        let header = ProxyHeader(ends: nil, tlvs: tlv)
        #expect(read(binary(body, 0x21, family)) == .complete(header, byteCount: 16 + body.count))
        guard addressBytes > 0 else { return }
        let short = [UInt8](repeating: 0x55, count: addressBytes - 1)
        #expect(read(binary(short, 0x21, family)) == .malformed(.bodyTooShort))
    }

    /// proxy_protocol2: unknown 2, where addresses of unspecified length have to be skipped.
    @Test func unspecifiedAddressesAreSkipped() {
        let found = read(binary([1, 2, 3, 4], 0x21, 0x00) + [5])
        #expect(found == .complete(ProxyHeader(ends: nil), byteCount: 20))
    }

    /// LOCAL: the block is skipped, whatever it says; but its length holds.
    @Test(arguments: [UInt8(0x00), 0x11, 0x21, 0x44, 0xff])
    func localSaysNothingOfAClient(_ family: UInt8) {
        for body in [[], [1, 2, 3], body4, body4 + [3, 0, 4, 1, 2, 3, 4]] {
            let found = read(binary(body, 0x20, family) + [1, 2])
            #expect(found == .complete(.local, byteCount: 16 + body.count))
        }
    }

    @Test(arguments: [
        (UInt8(0x11), UInt8(0x11), ProxyHeader.Fault.unknownVersion),
        (0x31, 0x11, .unknownVersion), (0x01, 0x11, .unknownVersion),
        (0x22, 0x11, .unknownCommand), (0x2f, 0x11, .unknownCommand),
        (0x21, 0x41, .unknownFamily), (0x21, 0xf0, .unknownFamily),
        (0x21, 0x13, .unknownTransport), (0x21, 0x0f, .unknownTransport),
    ])
    func whatTheHeadMayNotSay(_ command: UInt8, _ family: UInt8, _ fault: ProxyHeader.Fault) {
        #expect(read(binary(body4, command, family)) == .malformed(fault))
    }

    @Test func theSignatureIsComparedWhole() {
        for place in 0..<12 {
            var bytes = binary(body4)
            bytes[place] ^= 1
            #expect(read(bytes) == .malformed(.noSignature))
        }
    }

    @Test func theLengthHasALimit() {
        let filling = [UInt8(4), 7, 0xf1] + [UInt8](repeating: 0, count: 2033)
        #expect(body4.count + filling.count == 2048)
        guard case .complete(let header, 2064) = read(binary(body4 + filling)) else {
            Issue.record("the longest header is not read")
            return
        }
        #expect(header.tlvs == filling)
        // Known from the first 16 bytes.
        #expect(read(binary([], length: 2049)) == .malformed(.bodyTooLong))
        #expect(read(binary([], length: 65535)) == .malformed(.bodyTooLong))
        #expect(read(binary([], length: 11)) == .malformed(.bodyTooShort))
        let wider = ProxyHeader.read(binary([], length: 2049).span.bytes, bodyBytesMax: 4000)
        #expect(wider == .more)
    }

    // ---- TLVs ----

    /// proxy_protocol_tlv_validation: a correct one, one behind the header, one that is longer
    /// than the header, and ones that do not end with it.
    @Test func tlvsEndWithTheHeader() throws {
        let header = binary(body4 + [2, 0, 5, 0x31, 0x32, 0x33, 0x34, 0x35])
        let expected = ProxyHeader(
            ends: try ends("192.0.2.1:123", "192.0.2.2:5678"),
            tlvs: [2, 0, 5, 0x31, 0x32, 0x33, 0x34, 0x35]
        )
        #expect(read(header) == .complete(expected, byteCount: 36))
        let behind = header + [2, 0, 5, 0x35, 0x34, 0x33, 0x32, 0x31]
        #expect(read(behind) == .complete(expected, byteCount: 36))
        let longer = [2, 0, 10] + [UInt8](repeating: 0x31, count: 10)
        #expect(read(binary(body4 + longer, length: 20)) == .malformed(.tlvTooLong))
        for rest in [[UInt8(0x50)], [0x50, 0]] {
            let bytes = binary(body4 + [2, 0, 4, 0x31, 0x32, 0x33, 0x34] + rest)
            #expect(read(bytes) == .malformed(.tlvTooLong))
        }
    }

    /// proxy_protocol_send_unique_id: up to 128 bytes.
    @Test func aUniqueIDHasAtMost128Bytes() {
        let longest = [5, 0, 128] + [UInt8](repeating: 9, count: 128)
        guard case .complete(let header, _) = read(binary(body4 + longest)) else {
            Issue.record("a unique ID of 128 bytes is not read")
            return
        }
        #expect(header.tlvs == longest)
        let longer = [5, 0, 129] + [UInt8](repeating: 9, count: 129)
        #expect(read(binary(body4 + longer)) == .malformed(.uniqueIDTooLong))
    }

    /// What a network load balancer of AWS sends, its checksum included (captured by the authors of
    /// go-proxyproto).
    @Test func aChecksumIsVerified() throws {
        let privateLink = [0xea, 0, 0x17, 1] + Array("vpce-08d2bf15fac5001c9".utf8)
        let padding = [4, 0, 0x24] + [UInt8](repeating: 0, count: 36)
        let addresses: [UInt8] = [172, 31, 7, 113, 172, 31, 10, 31, 0xc8, 0xf2, 0, 80]
        let checksum: [UInt8] = [3, 0, 4, 0xe8, 0xd6, 0x89, 0x2d]
        let bytes = binary(addresses + checksum + privateLink + padding)
        let expected = ProxyHeader(
            ends: try ends("172.31.7.113:51442", "172.31.10.31:80"),
            tlvs: privateLink + padding
        )
        #expect(read(bytes) == .complete(expected, byteCount: 100))
        // Without the type of the checksum there is none.
        for place in 16..<100 where place != 28 {
            var wrong = bytes
            wrong[place] ^= 0x10
            guard case .malformed = read(wrong) else {
                Issue.record("a wrong byte at \(place) is not seen")
                continue
            }
        }
    }

    @Test func aChecksumIsOneNumber() {
        for checksums in [
            [UInt8(3), 0, 3, 1, 2, 3], [3, 0, 5, 1, 2, 3, 4, 5], [3, 0, 0],
            [3, 0, 4, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0],
        ] {
            #expect(read(binary(body4 + checksums)) == .malformed(.checksumMalformed))
        }
        // proxy_protocol2_tlv has "4321" for one, which nginx does not verify.
        #expect(
            read(binary(body4 + [3, 0, 4, 0x34, 0x33, 0x32, 0x31])) == .malformed(.checksumWrong)
        )
        let digits = Array("123456789".utf8)
        #expect(CRC32C.checksum(of: digits.span.bytes, withoutField: 0..<0) == 0xe306_9283)
    }

    // ---- written ----

    /// stream_proxy_protocol: protocol on, and mixed address families.
    @Test func linesAreWritten() throws {
        func line(_ source: String, _ destination: String) throws -> String {
            let ends = ProxyHeader.Ends(
                source: try SocketAddress(parsing: source),
                destination: try SocketAddress(parsing: destination)
            )
            return String(
                decoding: ProxyHeader(ends: ends, tlvs: [4, 0, 0]).encoded(as: .v1),
                as: UTF8.self
            )
        }
        #expect(
            try line("192.168.0.1:56324", "192.168.0.11:443")
                == "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
        )
        #expect(
            try line("[2001:db8::1]:1", "[2001:DB8:0:0::2]:65535")
                == "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"
        )
        #expect(
            try line("[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.2]:2")
                == "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"
        )
        #expect(
            try line("[::ffff:10.0.0.1]:1", "10.0.0.2:2") == "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"
        )
        #expect(try line("10.0.0.1:1", "[::1]:2") == "PROXY UNKNOWN\r\n")
        #expect(try line("[fe80::1%lo]:1", "[fe80::2]:2") == "PROXY TCP6 fe80::1 fe80::2 1 2\r\n")
        #expect(ProxyHeader.local.encoded(as: .v1) == Array("PROXY UNKNOWN\r\n".utf8))
    }

    /// proxy_protocol_send_generic: a TLV with a value, and one without.
    @Test func binaryHeadersAreWritten() throws {
        let tlvs: [UInt8] = [0xe1, 0, 3, 0x66, 0x6f, 0x6f, 0xe2, 0, 0]
        let header = ProxyHeader(ends: try ends("192.0.2.1:123", "192.0.2.2:5678"), tlvs: tlvs)
        #expect(header.encoded(as: .v2) == binary(body4 + tlvs))
        let header6 = ProxyHeader(ends: try ends("[2001:db8::1]:123", "[2001:db8::2]:5678"))
        #expect(header6.encoded(as: .v2) == binary(body6, 0x21, 0x21))
        #expect(ProxyHeader(ends: nil).encoded(as: .v2) == binary([], 0x21, 0x00))
        #expect(ProxyHeader.local.encoded(as: .v2, checksum: true) == binary([], 0x20, 0x00))
        let summed = header.encoded(as: .v2, checksum: true)
        #expect(summed.count == 28 + tlvs.count + 7)
        #expect(read(summed) == .complete(header, byteCount: summed.count))
    }

    /// What was read from one proxy and goes to the next.
    @Test func theLongestHeaderIsWritten() throws {
        let tlvs = [UInt8](repeating: 4, count: ProxyHeader.tlvBytesMax)
        let header = ProxyHeader(ends: try ends("[::1]:1", "[::2]:2"), tlvs: tlvs)
        let bytes = header.encoded(as: .v2, checksum: true)
        #expect(bytes.count == 16 + 65535)
        #expect(bytes[14] == 255 && bytes[15] == 255)
    }

    // ---- in pieces ----

    private var whole: [[UInt8]] {
        [
            Array("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".utf8),
            Array("PROXY UNKNOWN\r\n".utf8),
            binary(body4 + [2, 0, 5, 1, 2, 3, 4, 5]), binary(body6, 0x21, 0x21),
            binary([], 0x20, 0x00),
        ]
    }

    @Test func aHeaderMayComeInPieces() throws {
        for bytes in whole {
            guard case .complete(let header, let count) = read(bytes) else {
                Issue.record("a header is not read")
                continue
            }
            #expect(count == bytes.count)
            for cut in 1..<bytes.count {
                #expect(read(Array(bytes[..<cut])) == .more, "\(cut) of \(bytes.count)")
                var reader = ProxyHeaderReader()
                #expect(reader.take(Array(bytes[..<cut]).span.bytes) == .more)
                let rest = Array(bytes[cut...]) + Array("client".utf8)
                #expect(
                    reader.take(rest.span.bytes)
                        == .complete(header, byteCount: bytes.count - cut)
                )
            }
            var reader = ProxyHeaderReader()
            for byte in bytes.dropLast() { #expect(reader.take([byte].span.bytes) == .more) }
            #expect(reader.take([bytes.last!].span.bytes) == .complete(header, byteCount: 1))
        }
    }

    /// proxy_protocol_random_fail: what is wrong is said with the first byte that is.
    @Test func aFaultIsSeenAtOnce() {
        let wrong: [([UInt8], Int)] = [
            (Array("GET / HTTP/1.0\r\n".utf8), 1), (Array("PROXY-".utf8), 6),
            (Array("PROXY TCP4 1.2.3.4\n".utf8), 19), (binary(body4, 0x11, 0x11), 13),
            (binary(body4, 0x21, 0x41), 14), (binary([], length: 4000), 16),
        ]
        for (bytes, place) in wrong {
            for count in 1..<bytes.count + 1 {
                let found = read(Array(bytes[..<count]))
                #expect((found != .more) == (count >= place), "\(count) bytes: \(found)")
            }
        }
    }

    /// A sender that never comes to an end is not kept in memory for ever.
    @Test func aReaderEndsAtItsLimit() {
        var reader = ProxyHeaderReader()
        var taken = 0
        while reader.take(Array((taken == 0 ? "PROXY " : "x").utf8).span.bytes) == .more {
            taken += 1
            guard taken < 200 else {
                Issue.record("a line without end is not refused")
                return
            }
        }
        #expect(taken == 107 - 6)
    }
}
