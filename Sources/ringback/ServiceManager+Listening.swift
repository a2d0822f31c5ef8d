// The sockets that a service manager handed over, as listeners: by the address they listen on, or
// by the name that their unit gives them.

import Engine
import Net
import Options

extension ServiceManager {
    /// What its unit calls a socket on some address.
    func name(ofSocketOn address: SocketAddress?) -> String {
        names.first { $0.address == address }?.name ?? "unknown"
    }

    /// The name in `systemd:NAME`; nil where a text is an address.
    static func name(in text: String) -> String? {
        let prefix = "systemd:"
        return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
    }

    /// All that have an address of IP, those of one address together.
    ///
    /// - Parameter name: what their unit calls them; nil for any.
    func listeningSockets(named name: String? = nil) -> [ListeningSockets] {
        var found: [(address: SocketAddress, descriptors: [Descriptor])] = []
        for socket in sockets where name == nil || socket.name == name {
            guard let address = socket.descriptor.localAddress else { continue }
            if let place = found.firstIndex(where: { $0.address == address }) {
                found[place].descriptors.append(socket.descriptor)
            } else {
                found.append((address, [socket.descriptor]))
            }
        }
        return found.map { ListeningSockets(address: $0.address, descriptors: $0.descriptors) }
    }
}

extension ProcessStart {
    /// Sockets for all that the services are to listen on, bound while the process may.
    ///
    /// - Parameter addresses: for which there are sockets.
    func bound(but addresses: [SocketAddress]) throws -> [ListeningSockets] {
        var all: [ListeningSockets] = []
        for server in servers {
            let count = try server.workers.resolve(cpus: CPUSet.allowed().count)
            for options in try server.listeners() where !addresses.contains(options.address) {
                do throws(SystemError) {
                    all.append(try ListeningSockets.bound(options, count: count))
                } catch {
                    let failure = StartFailure.listener(options.address, error)
                    throw Failure(.couldNotRun, failure.explanation)
                }
            }
        }
        return all
    }
}
