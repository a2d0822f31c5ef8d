// Obstacles: what keeps services from being run, as far as it can be said without a socket, a right
// or a name server: by `ringback check`, and before a file takes effect. A command that is run
// refuses the first; here all are collected, for whoever mends a file.

import ArgumentParser
import Configuration
import Engine
import Net
import Options
import Relay

enum Obstacles {
    /// The line that something is refused with; none where it is not.
    static func lines(prefix: String = "", _ attempt: () throws -> Void) -> [String] {
        do {
            try attempt()
            return []
        } catch let failure as Failure {
            return [prefix + failure.message]
        } catch {
            return [prefix + "\(error)"]
        }
    }
}

extension ServerOptions {
    /// What keeps any service from running.
    func obstacles(name: String, slotsEach: Int) -> [String] {
        // Whether this host has io_uring is not asked: a file may be checked elsewhere.
        let backend: Backend = backend == .epoll ? .epoll : .uring
        let attempts: [() throws -> Void] =
            [
                { _ = try makePlan(backend, name: name, slotsEach: slotsEach) },
                { _ = try connections.policy() },
            ] + listenedOn.map { text in { _ = try listeners(of: text) } }
        var lines: [String] = []
        for line in attempts.flatMap({ Obstacles.lines($0) }) where !lines.contains(line) {
            lines.append(line)
        }
        return lines
    }

    /// Where to listen, but for sockets that a service manager will hand over.
    private var listenedOn: [String] { listen.filter { ServiceManager.name(in: $0) == nil } }

    /// The addresses to listen on, but for those that are none.
    var addresses: [SocketAddress] { listen.compactMap { try? SocketAddress(parsing: $0) } }
}

extension EchoCommand {
    /// What keeps it from running.
    var obstacles: [String] { server.obstacles(name: "echo", slotsEach: 1) }
}

extension RelayCommand {
    /// What keeps it from running.
    var obstacles: [String] {
        server.obstacles(name: "relay", slotsEach: 2)
            + Obstacles.lines { _ = try checks.check() }
            + Obstacles.lines { try upstreams.check(listeners: server.addresses) }
            + Obstacles.lines { _ = try clients.access() }
            + Obstacles.lines { _ = try clients.proxies() }
    }
}

extension Obstacles {
    /// Addresses that two listeners cannot have at once.
    static func sharedAddresses(_ services: [EffectiveService]) -> [Problem] {
        var taken: [(address: SocketAddress, service: EffectiveService)] = []
        var problems: [Problem] = []
        for service in services {
            for text in service.settings.values(of: "listen") {
                guard let address = try? SocketAddress(parsing: text) else { continue }
                if let other = taken.first(where: { $0.address.excludes(address) }) {
                    let origin = other.service.origin(of: "listen")
                    let message =
                        "service '\(service.name)' cannot listen on \(text): service "
                        + "'\(other.service.name)' listens on \(other.address) (\(origin))"
                    problems.append(Problem(service.origin(of: "listen"), message))
                }
                taken.append((address, service))
            }
        }
        return problems
    }
}

extension SocketAddress {
    /// Whether nobody else can listen on another address while somebody does on this.
    fileprivate func excludes(_ other: SocketAddress) -> Bool {
        let (one, other) = (unmapped, other.unmapped)
        // The kernel gives each listener that asks for port 0 another one.
        guard one.port == other.port, one.port != 0 else { return false }
        if one.host == other.host { return true }
        // A wildcard takes every address of its family, and of IPv6 those of IPv4 too.
        return one.isWildcard && (one.family == .v6 || other.family == .v4)
            || other.isWildcard && (other.family == .v6 || one.family == .v4)
    }
}
