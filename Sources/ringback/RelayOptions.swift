// The options of the relay: where connections go, and who may connect.

public import ArgumentParser
import Engine
import Net
import Options
public import Relay

extension Balance: ExpressibleByArgument {}
extension ConnectFailure: ExpressibleByArgument {}
extension ProxyVersion: ExpressibleByArgument {}

/// Upstreams, and how one is chosen for a client.
struct UpstreamChoice: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An upstream: host:port[,weight=N][,backup][,max-connections=N]; may be given again.",
            valueName: "upstream"
        )
    )
    var to: [String] = []

    @Option(help: "How an upstream is chosen for a client.")
    var balance: Balance = .roundRobin

    @Option(help: "How long a connect to an upstream may take.")
    var connectTimeout = TimeSpan.seconds(5)

    @Option(help: "Other upstreams that are tried when one cannot be reached.")
    var retries = 2

    @Option(help: "What a client gets for which no upstream can be reached: FIN, or RST.")
    var onConnectFailure: ConnectFailure = .rst

    @Option(help: "Failed connects in a row that have an upstream left out; 0 never does.")
    var maxFails = 3

    @Option(help: "How long it is left out at first; doubled each time, up to 5 minutes.")
    var failTimeout = TimeSpan.seconds(10)

    @Option(help: "Have upstreams told of their clients by the PROXY protocol, of this version.")
    var proxyTo: ProxyVersion?

    /// The ports of the upstreams, but for those that are none.
    var ports: [UInt16] { to.compactMap { try? UpstreamOptions(parsing: $0).port } }

    /// The upstreams, resolved.
    func makeSet(listeners: [SocketAddress]) throws -> UpstreamSet {
        let options = try parsed()
        let addresses = try options.map { try resolve($0, listeners) }
        var ejection = EjectionPolicy()
        ejection.failuresMax = maxFails
        ejection.firstNanoseconds = failTimeout.nanoseconds
        return UpstreamSet(options, addresses: addresses, balance: balance, ejection: ejection)
    }

    /// Refuses what can be refused without asking for a name.
    func check(listeners: [SocketAddress]) throws {
        for upstream in try parsed()
        where SocketAddress(host: upstream.host, port: upstream.port) != nil {
            _ = try resolve(upstream, listeners)
        }
    }

    private func parsed() throws -> [UpstreamOptions] {
        guard !to.isEmpty else { throw Failure(.usage, "--to is missing: where to relay to") }
        guard to.count <= UpstreamSet.countMax else {
            throw Failure(.usage, "at most \(UpstreamSet.countMax) upstreams, not \(to.count)")
        }
        guard (0...63).contains(retries) else {
            throw Failure(.usage, "--retries must be from 0 to 63, not \(retries)")
        }
        guard (0...1_000_000).contains(maxFails) else {
            throw Failure(.usage, "--max-fails must be from 0 to 1000000, not \(maxFails)")
        }
        return try to.map(parse)
    }

    private func parse(_ text: String) throws -> UpstreamOptions {
        do throws(UpstreamOptionsError) {
            return try UpstreamOptions(parsing: text)
        } catch {
            throw Failure(.usage, "--to '\(text)': \(error)")
        }
    }

    private func resolve(
        _ upstream: UpstreamOptions,
        _ listeners: [SocketAddress]
    ) throws -> [SocketAddress] {
        let found = AddressOrder.alternating(
            SocketAddress.resolve(host: upstream.host, port: upstream.port)
        )
        guard !found.isEmpty else {
            throw Failure(
                .couldNotRun,
                "--to '\(upstream.target)': the name does not resolve to an address"
            )
        }
        guard found.allSatisfy({ !ForbiddenUpstream.isListener($0, of: listeners) }) else {
            throw Failure(.usage, "--to '\(upstream.target)': the relay listens there itself")
        }
        for address in found {
            let reason = ForbiddenUpstream.reason(against: address, host: upstream.host)
            if let reason {
                throw Failure(
                    .usage,
                    "--to '\(upstream.target)': \(reason); write the address to mean it"
                )
            }
        }
        return found
    }
}

/// Who may connect.
struct ClientChoice: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Networks that may connect; may be given again. The smallest network decides.",
            valueName: "cidr"
        )
    )
    var allow: [String] = []

    @Option(
        help: ArgumentHelp("Networks that may not connect; may be given again.", valueName: "cidr")
    )
    var deny: [String] = []

    @Option(
        help: ArgumentHelp(
            "Networks of proxies, whose connections begin with a PROXY header; may be given again.",
            valueName: "cidr"
        )
    )
    var proxyFrom: [String] = []

    @Option(help: "How long such a header may take.")
    var proxyTimeout = TimeSpan.seconds(5)

    func proxies() throws -> [AddressPrefix] {
        guard proxyTimeout.nanoseconds > 0 else {
            throw Failure(.usage, "--proxy-timeout must be above 0")
        }
        return try proxyFrom.map { try prefix($0, "--proxy-from") }
    }

    func access() throws -> AccessList {
        AccessList(
            allow: try allow.map { try prefix($0, "--allow") },
            deny: try deny.map { try prefix($0, "--deny") }
        )
    }

    private func prefix(_ text: String, _ option: String) throws -> AddressPrefix {
        guard let prefix = AddressPrefix(parsing: text) else {
            throw Failure(.usage, "\(option) '\(text)' is no network, such as 10.0.0.0/8")
        }
        return prefix
    }
}
