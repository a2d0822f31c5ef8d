// AdminAddress: where the admin endpoint is, and what is said where it cannot be there.

public import Net

/// Where to serve: an address with a port, or a path of the file system.
public enum AdminAddress: Equatable, Sendable {
    /// An address and a port; the kernel chooses the port where it is 0.
    case network(SocketAddress)
    /// A Unix socket. Its file's permissions say who may connect.
    case local(path: String)

    /// Reads `127.0.0.1:9090`, `[::1]:9090`, `unix:/run/ringback.sock` or `/run/ringback.sock`.
    public init(parsing text: String) throws(AdminError) {
        let path = text.hasPrefix("unix:") ? String(text.dropFirst(5)) : text
        if path.hasPrefix("/") || path != text {
            guard (1...LocalListener.pathBytesMax).contains(path.utf8.count),
                !path.utf8.contains(0)
            else { throw AdminError(pathIsUnusable: path) }
            self = .local(path: path)
            return
        }
        do throws(AddressError) {
            self = .network(try SocketAddress(parsing: text))
        } catch {
            throw AdminError("\(error), or as a path like unix:/run/ringback.sock")
        }
    }

    /// Whether other hosts may reach it. Nobody is asked who he is there.
    public var isOpenToOthers: Bool {
        switch self {
        case .network(let address): !address.isLoopback
        case .local: false
        }
    }
}

extension AdminAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .network(let address): "\(address)"
        case .local(let path): "unix:\(path)"
        }
    }
}

/// Why there is no admin endpoint: one line with the cause, and the remedy where there is a usual
/// one.
public struct AdminError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }

    init(pathIsUnusable path: String) {
        self.init(
            "the path '\(path)' cannot name a Unix socket; it must have 1 to "
                + "\(LocalListener.pathBytesMax) bytes"
        )
    }

    init(_ address: AdminAddress, _ error: SystemError) {
        let remedy =
            switch error.code {
            case .addressInUse: "; stop the process that holds it, or choose another"
            case .accessDenied: "; a port below 1024 and a protected folder need more rights"
            case .addressNotAvailable: "; this host has no such address"
            case .tooManyFiles, .tooManyFilesInSystem: "; see ulimit -n and -Hn"
            default: ""
            }
        self.init("cannot serve metrics on \(address): \(error)\(remedy)")
    }

    /// Nobody tells of himself at an address.
    init(unreadable address: AdminAddress, _ why: String) {
        self.init("cannot read the status on \(address): \(why)")
    }

    init(path: String, _ failure: LocalListener.Failure) {
        let address = AdminAddress.local(path: path)
        switch failure {
        case .pathIsUnusable: self.init(pathIsUnusable: path)
        case .isNoSocket:
            self.init(
                "cannot serve metrics on \(address): there is a file that is no socket; remove "
                    + "it, or choose another path"
            )
        case .isTaken: self.init(address, SystemError("bind", .addressInUse))
        case .system(let error): self.init(address, error)
        }
    }
}
