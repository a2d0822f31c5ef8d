// Version 1 of the PROXY protocol, read: a line of text that has to be exact. The scenarios are of
// stream_proxy_protocol in nginx-tests, and what the specification forbids.

import Net
import Testing

@testable import Relay

struct ProxyLineTests {
    /// stream_proxy_protocol: tcp4 and tcp6; the shortest and the longest line of each.
    @Test(arguments: [
        ("TCP4 192.168.0.1 192.168.0.11 56324 443", "192.168.0.1:56324", "192.168.0.11:443"),
        ("TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0:0", "0.0.0.0:0"),
        (
            "TCP4 255.255.255.255 255.255.255.254 65535 65535",
            "255.255.255.255:65535", "255.255.255.254:65535"
        ),
        ("TCP6 2001:db8::1 2001:DB8::2 1234 5678", "[2001:db8::1]:1234", "[2001:db8::2]:5678"),
        ("TCP6 :: ::1 0 1", "[::]:0", "[::1]:1"),
        (
            "TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                + "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535"
        ),
        // As HAProxy writes the clients of a listener for both families.
        ("TCP6 ::ffff:10.0.0.1 ::ffff:10.0.0.2 1 2", "10.0.0.1:1", "10.0.0.2:2"),
    ])
    func aLineIsRead(_ text: String, _ source: String, _ destination: String) throws {
        let line = "PROXY " + text + "\r\n"
        let header = ProxyHeader(ends: try ends(source, destination))
        #expect(read(line + "close") == .complete(header, byteCount: line.utf8.count))
    }

    /// stream_proxy_protocol_unknown: with nothing, and with anything, behind the word.
    @Test(arguments: [
        "", " ", " TCP4 1.2.3.4", " ffff:f ffff:f 65535 65535", " \u{7f}\0\u{e9}",
    ])
    func whatFollowsUnknownIsIgnored(_ rest: String) {
        let line = "PROXY UNKNOWN" + rest + "\r\n"
        let found = read(line + "data")
        #expect(found == .complete(ProxyHeader(ends: nil), byteCount: line.utf8.count))
    }

    @Test func aLineHasAtMost107Bytes() {
        let longest = "PROXY UNKNOWN "
        let filling = String(repeating: "x", count: 107 - 2 - longest.utf8.count)
        let header = ProxyHeader(ends: nil)
        #expect(read(longest + filling + "\r\n") == .complete(header, byteCount: 107))
        #expect(read(longest + filling + "x\r\n") == .malformed(.lineTooLong))
        #expect(read(longest + filling + "xx") == .malformed(.lineTooLong))
        #expect(read(longest + filling + "x") == .more)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n", ProxyHeader.Fault.noSignature), ("\u{16}\u{3}\u{1}", .noSignature),
        ("proxy TCP4", .noSignature), ("PROXYTCP4 ", .noSignature), ("PROXX", .noSignature),
        ("PROXY\r\n", .noSignature),
        ("PROXY \r\n", .unknownProtocol), ("PROXY  TCP4 \r\n", .unknownProtocol),
        ("PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n", .unknownProtocol),
        ("PROXY UNKNOWNX\r\n", .unknownProtocol), ("PROXY tcp4 \r\n", .unknownProtocol),
        ("PROXY TCP4\r\n", .wrongFields), ("PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n", .wrongFields),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 \r\n", .wrongFields),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n", .wrongFields),
        ("PROXY TCP4  1.2.3.4 1.2.3.5 1 2\r\n", .wrongFields),
        ("PROXY TCP4 1.2.3.4\t1.2.3.5 1 2\r\n", .wrongFields),
    ])
    func whatIsNoLineIsMalformed(_ line: String, _ fault: ProxyHeader.Fault) {
        #expect(read(line) == .malformed(fault))
    }

    @Test(arguments: ["\n", "\rx", "\r\r\n", "\n\r"])
    func crAndLFComeTogether(_ end: String) {
        #expect(read("PROXY TCP4 1.2.3.4 1.2.3.5 1 2" + end) == .malformed(.lineEndAlone))
        #expect(read("PROXY UNKNOWN " + end) == .malformed(.lineEndAlone))
    }

    @Test(arguments: [
        "1.2.3", "1.2.3.4.5", "256.2.3.4", "01.2.3.4", "1.2.3.04", "0x1.2.3.4", "1.2.3.4a", "",
        "::1", "+1.2.3.4", "1.2.3.-4", "localhost", "1.2.3.4\0", "127.1",
    ])
    func ipv4AddressesAreExact(_ address: String) {
        #expect(read("PROXY TCP4 \(address) 1.2.3.4 1 2\r\n") == .malformed(.wrongAddress))
        #expect(read("PROXY TCP4 1.2.3.4 \(address) 1 2\r\n") == .malformed(.wrongAddress))
    }

    @Test(arguments: [
        "1.2.3.4", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", "12345::", "g::", "",
        "[::1]", "fe80::1%lo", "::1/64", "1:2:3:4:5:6:7:", "::256.1.1.1",
    ])
    func ipv6AddressesAreExact(_ address: String) {
        #expect(read("PROXY TCP6 \(address) ::1 1 2\r\n") == .malformed(.wrongAddress))
        #expect(read("PROXY TCP6 ::1 \(address) 1 2\r\n") == .malformed(.wrongAddress))
    }

    @Test(arguments: ["", "65536", "01", "00", "+1", "-1", "1x", "0x1", "123456", "\u{661}"])
    func portsAreExact(_ port: String) {
        #expect(read("PROXY TCP4 1.2.3.4 1.2.3.5 \(port) 2\r\n") == .malformed(.wrongPort))
        #expect(read("PROXY TCP4 1.2.3.4 1.2.3.5 1 \(port)\r\n") == .malformed(.wrongPort))
    }
}
