// LocalSocket: listening at a path of the file system. Who may connect is then a matter of the
// file's permissions. The kernel never removes the file: one that a killed process left behind is
// in the way of the next, and is told from one that is in use by trying it.

import CLinux
import Glibc

/// A listening socket at a path (unix(7)).
public struct LocalListener: Sendable {
    /// Room for a path in sockaddr_un, less its final zero.
    public static let pathBytesMax = 107

    /// The socket.
    public let descriptor: Descriptor
    /// Where its file is.
    public let path: String
    private let file: FileIdentity?

    /// Why there is no socket at a path.
    public enum Failure: Error, Equatable, Sendable {
        /// More than `pathBytesMax`, none, or a zero in it.
        case pathIsUnusable
        /// Something is there that is no socket.
        case isNoSocket
        /// Another process listens there.
        case isTaken
        /// Anything else.
        case system(SystemError)
    }

    /// Listens at a path. The file of a process that is gone is replaced.
    public init(path: String, backlog: Int32 = ListenOptions.usualBacklog) throws(Failure) {
        guard (1...LocalListener.pathBytesMax).contains(path.utf8.count), !path.utf8.contains(0)
        else { throw .pathIsUnusable }
        let descriptor = try LocalListener.socket()
        do throws(Failure) {
            try LocalListener.bind(descriptor, path)
            let result = clinux_listen(descriptor.rawValue, backlog)
            if let error = Errno(ofResult: result) { throw .system(SystemError("listen", error)) }
        } catch {
            descriptor.close()
            throw error
        }
        self.descriptor = descriptor
        self.path = path
        file = FileIdentity(path)
    }

    /// A connection to whoever listens at a path.
    public static func connect(to path: String) throws(Failure) -> Descriptor {
        guard (1...LocalListener.pathBytesMax).contains(path.utf8.count), !path.utf8.contains(0)
        else { throw .pathIsUnusable }
        let descriptor = try socket()
        let result = withKernelForm(of: path) { clinux_connect(descriptor.rawValue, $0, $1) }
        if let error = Errno(ofResult: result) {
            descriptor.close()
            throw .system(SystemError("connect", error))
        }
        return descriptor
    }

    /// Stops listening, and removes the file unless another has taken its place.
    public func close() {
        if let file, FileIdentity(path) == file { unlink(path) }
        descriptor.close()
    }

    private static func socket() throws(Failure) -> Descriptor {
        do throws(SystemError) {
            return Descriptor(rawValue: try SystemError.check("socket", clinux_socket(AF_UNIX)))
        } catch {
            throw .system(error)
        }
    }

    private static func bind(_ descriptor: Descriptor, _ path: String) throws(Failure) {
        for attempt in 0... {
            let result = withKernelForm(of: path) { clinux_bind(descriptor.rawValue, $0, $1) }
            guard let error = Errno(ofResult: result) else { return }
            guard error == .addressInUse, attempt == 0 else {
                throw .system(SystemError("bind", error))
            }
            guard FileIdentity(path)?.isSocket != false else { throw .isNoSocket }
            guard !answers(path) else { throw .isTaken }
            unlink(path)
        }
    }

    /// Whether somebody listens there. A queue that is full (EAGAIN) has somebody behind it, and
    /// what this user may not connect to (EACCES) is not his to remove.
    private static func answers(_ path: String) -> Bool {
        guard let probe = try? socket() else { return true }
        defer { probe.close() }
        let result = withKernelForm(of: path) { clinux_connect(probe.rawValue, $0, $1) }
        return result != -ECONNREFUSED && result != -ENOENT
    }

    /// Calls `body` with the path in the kernel's form and its length.
    private static func withKernelForm(
        of path: String,
        _ body: (UnsafeRawPointer, UInt32) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafeBytes(of: address) { body($0.baseAddress!, UInt32($0.count)) }
    }
}

/// Tells a file from another that takes its name later.
private struct FileIdentity: Equatable, Sendable {
    let device: UInt64
    let number: UInt64
    let isSocket: Bool

    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
}
