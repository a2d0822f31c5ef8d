// Where the admin endpoint can be, and what is said where it cannot. Files of Unix sockets come and
// go with it.

import Foundation
import Net
import Support
import Testing

@testable import Admin

@Suite(.serialized) struct AdminAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9090", "127.0.0.1:9090", false), ("[::1]:0", "[::1]:0", false),
        ("0.0.0.0:9090", "0.0.0.0:9090", true), ("10.1.2.3:1", "10.1.2.3:1", true),
        ("unix:/run/ringback.sock", "unix:/run/ringback.sock", false),
        ("/run/ringback.sock", "unix:/run/ringback.sock", false),
        ("unix:here.sock", "unix:here.sock", false),
    ])
    func reads(_ text: String, _ written: String, _ isOpen: Bool) throws {
        let address = try AdminAddress(parsing: text)
        #expect("\(address)" == written && address.isOpenToOthers == isOpen)
    }

    @Test(arguments: [
        ("localhost:9090", "has no IPv4 or IPv6 address"), ("9090", "has no port"),
        ("", "has no port"), ("unix:", "the path '' cannot name a Unix socket"),
        ("/" + String(repeating: "x", count: 107), "1 to 107 bytes"), ("/a\0b", "cannot name"),
    ])
    func refuses(_ text: String, _ reason: String) {
        let error = #expect(throws: AdminError.self) { try AdminAddress(parsing: text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    private func path() -> String {
        NSTemporaryDirectory() + "admin-" + UUID().uuidString.prefix(8) + ".sock"
    }

    private func server(_ path: String) throws -> AdminServer {
        AdminServer(address: try AdminAddress(parsing: "unix:\(path)")) { .made() }
    }

    private func ask(_ path: String) throws -> String {
        try Program.shell("printf 'GET /healthz HTTP/1.1\\r\\n\\r\\n' | nc -N -U '\(path)'").output
    }

    @Test func aUnixSocketGoesWithTheServer() throws {
        let path = path()
        let server = try server(path)
        try server.start()
        #expect(server.boundAddress == "unix:\(path)")
        #expect(try ask(path).hasSuffix("\r\n\r\nok\n"))
        server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    /// As a process leaves it that was killed.
    @Test func theFileOfADeadServerIsReplaced() throws {
        let path = path()
        let line = "import socket; socket.socket(socket.AF_UNIX).bind('\(path)')"
        #expect(try Program.run("python3", "-c", line).status == 0)
        #expect(FileManager.default.fileExists(atPath: path))
        let server = try server(path)
        try server.start()
        #expect(try ask(path).hasSuffix("ok\n"))
        server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func whatIsInUseOrNoSocketIsLeftAlone() throws {
        let path = path()
        let first = try server(path)
        try first.start()
        let taken = #expect(throws: AdminError.self) { try server(path).start() }
        #expect(taken?.description.contains("Address already in use") == true)
        #expect(try ask(path).hasSuffix("ok\n"))
        // Another has taken the name: it is not this server's to remove.
        try FileManager.default.removeItem(atPath: path)
        try Data("mine".utf8).write(to: URL(filePath: path))
        first.stop()
        let file = #expect(throws: AdminError.self) { try server(path).start() }
        #expect(file?.description.contains("no socket; remove it") == true)
        #expect(SystemText.read(path) == "mine")
        try FileManager.default.removeItem(atPath: path)
    }

    @Test func aFolderThatIsNotThere() {
        let error = #expect(throws: AdminError.self) { try server("/none/admin.sock").start() }
        #expect(
            error?.description
                == "cannot serve metrics on unix:/none/admin.sock: bind: No such file or directory"
        )
    }
}
