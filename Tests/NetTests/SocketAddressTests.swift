// Addresses as text, both ways.

import Net
import Testing

struct SocketAddressTests {
    @Test(arguments: ["127.0.0.1:8888", "0.0.0.0:0", "[::1]:7", "[2001:db8::2]:65535"])
    func readsWhatItWrites(_ text: String) throws {
        #expect(try SocketAddress(parsing: text).description == text)
    }

    @Test(arguments: [
        ("127.0.0.1", AddressError.Problem.portIsMissing),
        ("127.0.0.1:", .portIsNoNumber), ("127.0.0.1:65536", .portIsNoNumber),
        ("127.0.0.1:x", .portIsNoNumber), (":80", .hostIsMissing), ("[]:80", .hostIsMissing),
        ("256.0.0.1:80", .hostIsNoAddress), ("localhost:80", .hostIsNoAddress),
        ("::1:80", .bracketsAreMissing), ("", .portIsMissing), ("[::1]", .portIsNoNumber),
        ("127.0.0.1\0.example:80", .hostIsNoAddress),
    ])
    func saysWhatIsWrong(_ text: String, _ problem: AddressError.Problem) {
        let error = #expect(throws: AddressError.self) { try SocketAddress(parsing: text) }
        #expect(error?.problem == problem)
    }

    @Test func resolvesNames() {
        let addresses = SocketAddress.resolve(host: "localhost", port: 9)
        #expect(addresses.contains { $0.description == "127.0.0.1:9" })
        #expect(SocketAddress.resolve(host: "no-such-name.invalid", port: 9).isEmpty)
    }

    @Test func claimsAPortOnlyOnce() throws {
        let any = ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))
        let listener = try Socket.listen(any)
        defer { listener.close() }
        let address = try Socket.localAddress(of: listener)
        #expect(throws: SystemError("bind", .addressInUse)) { try Socket.claim(address) }
    }

    // ---- as protocols carry it ----

    @Test(arguments: ["10.1.2.3:4", "255.0.0.1:0", "[2001:db8::1:2]:65535", "[::ffff:1.2.3.4]:5"])
    func octetsAreReadAsTheyAreWritten(_ text: String) throws {
        let address = try SocketAddress(parsing: text)
        var octets: [UInt8] = []
        address.appendOctets(to: &octets)
        #expect(octets.count == (address.family == .v4 ? 4 : 16))
        #expect(SocketAddress(octets: octets.span.bytes, port: address.port) == address)
        let again = SocketAddress(
            exactHost: address.exactHost,
            family: address.family,
            port: address.port
        )
        #expect(again == address)
        octets.removeLast()
        #expect(SocketAddress(octets: octets.span.bytes, port: 1) == nil)
    }

    @Test func octetsAreInNetworkOrder() throws {
        var octets: [UInt8] = []
        try SocketAddress(parsing: "10.1.2.3:4").appendOctets(to: &octets)
        try SocketAddress(parsing: "[1:203::a0b]:4").appendOctets(to: &octets)
        #expect(octets == [10, 1, 2, 3, 0, 1, 2, 3] + [UInt8](repeating: 0, count: 10) + [10, 11])
    }

    @Test func mappedAddressesAreIPv4Again() throws {
        let mapped = try SocketAddress(parsing: "[::ffff:1.2.3.4]:5")
        #expect(mapped.unmapped.description == "1.2.3.4:5")
        for text in ["[::1.2.3.4]:5", "[::fffe:1.2.3.4]:5", "1.2.3.4:5"] {
            let address = try SocketAddress(parsing: text)
            #expect(address.unmapped == address)
        }
    }

    // Reserved (RFC 1112) and discarded (RFC 6666) addresses are no host's; machines for tests do
    // have such as are for documentation.
    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("0.0.0.0", true), ("::", true),
        ("::ffff:127.0.0.1", true), ("240.0.0.1", false), ("100::1", false), ("::2", false),
        ("128.0.0.1", false),
    ])
    func theHostKnowsItsAddresses(_ host: String, _ isOwn: Bool) throws {
        #expect(Host.has(try #require(SocketAddress(host: host, port: 7))) == isOwn)
    }

    @Test func theHostHasTheAddressesOfItsInterfaces() throws {
        let addresses = Host.addresses()
        #expect(addresses.contains(try SocketAddress(parsing: "127.0.0.1:0")))
        for address in addresses { #expect(Host.has(address)) }
    }
}
