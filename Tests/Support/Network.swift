// Network: two network namespaces with a cable between them. For what loopback cannot show: a peer
// that vanishes without a word.

import Foundation

/// A server's and a client's namespace, joined by a pair of virtual interfaces. Needs root.
public final class Network {
    /// The server's address.
    public static let serverHost = "10.77.0.1"
    private static let clientHost = "10.77.0.2"

    // Each namespace lives as long as the process in it.
    private let server: Program
    private let client: Program

    public init() throws {
        server = try Program(["unshare", "--net", "sleep", "600"])
        client = try Program(["unshare", "--net", "sleep", "600"])
        try waitForNamespaces()
        let ends = (server.identifier, client.identifier)
        try Self.run(
            ["ip", "link", "add", "cable", "netns", "\(ends.0)", "type", "veth"]
                + ["peer", "name", "cable", "netns", "\(ends.1)"]
        )
        for (beside, host) in [(besideServer, Self.serverHost), (besideClient, Self.clientHost)] {
            try Self.run(beside + ["ip", "address", "add", host + "/24", "dev", "cable"])
            try Self.run(beside + ["ip", "link", "set", "cable", "up"])
        }
    }

    deinit {
        server.signal(SIGKILL)
        client.signal(SIGKILL)
    }

    /// What to write before a command so that it runs beside the server.
    public var besideServer: [String] { ["nsenter", "--net=/proc/\(server.identifier)/ns/net"] }
    /// What to write before a command so that it runs beside the client.
    public var besideClient: [String] { ["nsenter", "--net=/proc/\(client.identifier)/ns/net"] }

    /// Makes the client vanish: the server's packets still leave, and nobody answers them.
    public func dropClient() throws {
        let link = try Self.run(besideClient + ["ip", "-o", "link", "show", "cable"])
        guard let hardware = link.firstMatch(of: /link\/ether (\S+)/).map({ String($0.1) }) else {
            throw Failed(line: link)
        }
        // Without a permanent entry the server's kernel would ask who has the address, and report
        // "no route to host" where there should be silence.
        try Self.run(
            besideServer + ["ip", "neigh", "replace", Self.clientHost, "lladdr", hardware]
                + ["nud", "permanent", "dev", "cable"]
        )
        try Self.run(
            besideClient + ["ip", "address", "del", Self.clientHost + "/24", "dev", "cable"]
        )
    }

    private func waitForNamespaces() throws {
        func namespace(_ process: String) throws -> String {
            try FileManager.default
                .destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
        }
        let own = try namespace("self")
        let deadline = Date().addingTimeInterval(10)
        for program in [server, client] {
            while try namespace("\(program.identifier)") == own {
                guard Date() < deadline else { throw Failed(line: "unshare --net") }
                usleep(2000)
            }
        }
    }

    @discardableResult
    private static func run(_ command: [String]) throws -> String {
        let ended = try Program(command).wait()
        guard ended.status == 0 else {
            throw Failed(line: command.joined(separator: " ") + ": " + ended.errors)
        }
        return ended.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A command that did not do what it should.
    public struct Failed: Error { public let line: String }
}
