// Network: two network namespaces with a cable between them, for what loopback cannot show: a peer
// that vanishes without a word. And Star: a server's namespace with several others around it.

/// A server's and a client's namespace, joined by a pair of virtual interfaces. Needs root.
public final class Network {
    /// The server's address.
    public static let serverHost = "10.77.0.1"
    private static let clientHost = "10.77.0.2"

    private let server: Namespace
    private let client: Namespace

    public init() throws {
        server = try Namespace()
        client = try Namespace()
        try server.run(
            ["ip", "link", "add", "cable", "type", "veth"]
                + ["peer", "name", "cable", "netns", client.name]
        )
        for (side, host) in [(server, Network.serverHost), (client, Network.clientHost)] {
            try side.run(["ip", "address", "add", host + "/24", "dev", "cable"])
            try side.run(["ip", "link", "set", "cable", "up"])
        }
    }

    /// What to write before a command so that it runs beside the server.
    public var besideServer: [String] { server.inside }
    /// What to write before a command so that it runs beside the client.
    public var besideClient: [String] { client.inside }

    /// Makes the client vanish: the server's packets still leave, and nobody answers them.
    public func dropClient() throws {
        let link = try client.run(["ip", "-o", "link", "show", "cable"])
        guard let hardware = link.firstMatch(of: /link\/ether (\S+)/).map({ String($0.1) }) else {
            throw Namespace.Failed(line: link)
        }
        // Without a permanent entry the server's kernel would ask who has the address, and report
        // "no route to host" where there should be silence.
        try server.run(
            ["ip", "neigh", "replace", Network.clientHost, "lladdr", hardware]
                + ["nud", "permanent", "dev", "cable"]
        )
        try client.run(["ip", "address", "del", Network.clientHost + "/24", "dev", "cable"])
    }
}

/// A server's namespace, and around it one for each of several clients, which see each other only
/// through it, as machines at one switch do. Needs root.
public final class Star {
    /// The server's address.
    public static let serverHost = "10.78.255.254"

    public let server: Namespace
    public let clients: [Namespace]

    /// - Parameter hosts: the addresses of each client, in 10.78.0.0/16.
    public init(_ hosts: [[String]]) throws {
        server = try Namespace()
        clients = try hosts.map { _ in try Namespace() }
        try server.run(["ip", "link", "add", "switch", "type", "bridge"])
        try server.run(["ip", "address", "add", Star.serverHost + "/16", "dev", "switch"])
        for (number, client) in clients.enumerated() {
            try server.run(
                ["ip", "link", "add", "port\(number)", "type", "veth"]
                    + ["peer", "name", "cable", "netns", client.name]
            )
            try server.run(["ip", "link", "set", "port\(number)", "master", "switch", "up"])
            for host in hosts[number] {
                try client.run(["ip", "address", "add", host + "/16", "dev", "cable"])
            }
            try client.run(["ip", "link", "set", "cable", "up"])
        }
        try server.run(["ip", "link", "set", "switch", "up"])
    }
}
