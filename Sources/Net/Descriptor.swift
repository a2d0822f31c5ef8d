// Descriptor: a file descriptor as a type of its own, so that it is never mixed up with a slot, a
// buffer or a count. It is a plain number: who opened it closes it.

import CLinux

/// A file descriptor. Trivial: copying it copies the number, and nothing closes it by itself.
public struct Descriptor: Equatable, Hashable, Sendable {
    /// The number the kernel knows it by.
    public let rawValue: Int32

    /// Wraps a number that the kernel gave out.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// No descriptor.
    public static let none = Descriptor(rawValue: -1)

    /// Closes it (close(2)). EINTR is no failure: Linux has released the number by then.
    public func close() {
        _ = clinux_close(rawValue)
    }

    /// Ends both directions for every holder of the socket (shutdown(2)).
    public func shutdownBoth() {
        _ = clinux_shutdown(rawValue, Int32(2))
    }

    /// Sends FIN once what was written has left (shutdown(2), SHUT_WR).
    public func shutdownWriting() {
        _ = clinux_shutdown(rawValue, Int32(1))
    }

    /// Makes the coming close send RST instead of FIN (SO_LINGER 0, socket(7)).
    public func resetOnClose() {
        _ = clinux_linger_zero(rawValue)
    }

    /// The pending error of a socket, and clears it (SO_ERROR, socket(7)); nil when there is none.
    public func takeSocketError() -> Errno? {
        let error = clinux_get_option(rawValue, SOL_SOCKET, SO_ERROR)
        return error == 0 ? nil : Errno(rawValue: abs(error))
    }
}
