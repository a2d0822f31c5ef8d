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
}
