// Listener: the listening socket of the admin endpoint, at an address or at a path.

import Net

/// A listening socket.
enum Listener: Sendable {
    case network(Descriptor, SocketAddress)
    case local(LocalListener)

    /// Opens it.
    init(_ address: AdminAddress) throws(AdminError) {
        switch address {
        case .network(let wanted):
            do throws(SystemError) {
                let descriptor = try Socket.listen(ListenOptions(address: wanted))
                self = .network(descriptor, descriptor.localAddress ?? wanted)
            } catch {
                throw AdminError(address, error)
            }
        case .local(let path):
            do throws(LocalListener.Failure) {
                self = .local(try LocalListener(path: path))
            } catch {
                throw AdminError(path: path, error)
            }
        }
    }

    /// The socket.
    var descriptor: Descriptor {
        switch self {
        case .network(let descriptor, _): descriptor
        case .local(let listener): listener.descriptor
        }
    }

    /// The address, with the port that the kernel chose.
    var boundAddress: AdminAddress {
        switch self {
        case .network(_, let address): .network(address)
        case .local(let listener): .local(path: listener.path)
        }
    }

    /// Stops listening; the file of a local socket goes.
    func close() {
        switch self {
        case .network(let descriptor, _): descriptor.close()
        case .local(let listener): listener.close()
        }
    }
}
