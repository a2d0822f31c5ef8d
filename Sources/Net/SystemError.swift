// SystemError: which system call failed, and with which errno. A trivial value, so that typed
// throws allocate nothing, and so that a message can always name both.

import CLinux
import Glibc

/// An error number of Linux (errno(3)).
public struct Errno: Error, Equatable, Hashable, Sendable {
    /// The number as the kernel gives it, positive.
    public let rawValue: Int32

    /// Wraps a positive error number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The error of a shim's result, or nil where that is not negative.
    @inline(__always)
    init?(ofResult result: Int32) {
        guard result < 0 else { return nil }
        rawValue = -result
    }

    public static let notPermitted = Errno(rawValue: EPERM)
    public static let noSuchProcess = Errno(rawValue: ESRCH)
    public static let interrupted = Errno(rawValue: EINTR)
    public static let tryAgain = Errno(rawValue: EAGAIN)
    public static let outOfMemory = Errno(rawValue: ENOMEM)
    public static let accessDenied = Errno(rawValue: EACCES)
    public static let busy = Errno(rawValue: EBUSY)
    public static let invalidArgument = Errno(rawValue: EINVAL)
    public static let tooManyFilesInSystem = Errno(rawValue: ENFILE)
    public static let tooManyFiles = Errno(rawValue: EMFILE)
    public static let brokenPipe = Errno(rawValue: EPIPE)
    public static let notImplemented = Errno(rawValue: ENOSYS)
    public static let protocolError = Errno(rawValue: EPROTO)
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    public static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
    public static let connectionAborted = Errno(rawValue: ECONNABORTED)
    public static let connectionReset = Errno(rawValue: ECONNRESET)
    public static let noBufferSpace = Errno(rawValue: ENOBUFS)
    public static let notConnected = Errno(rawValue: ENOTCONN)
    public static let badDescriptor = Errno(rawValue: EBADF)
    public static let badAddress = Errno(rawValue: EFAULT)
    public static let notSocket = Errno(rawValue: ENOTSOCK)
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    public static let timerExpired = Errno(rawValue: ETIME)
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    public static let inProgress = Errno(rawValue: EINPROGRESS)
    public static let canceled = Errno(rawValue: ECANCELED)
}

extension Errno: CustomStringConvertible {
    /// The C library's words for the number, such as "Connection refused".
    public var description: String {
        strerror(rawValue).map { String(cString: $0) } ?? "error \(rawValue)"
    }
}

/// A failed system call.
public struct SystemError: Error, Equatable, Sendable {
    /// The name of the call as its man page spells it.
    public let call: StaticStringName
    /// Why it failed.
    public let code: Errno

    /// Names a failed call.
    public init(_ call: StaticString, _ code: Errno) {
        self.call = StaticStringName(call)
        self.code = code
    }

    /// Passes a result of a shim on, or throws where it is negative (`-errno`).
    @discardableResult
    public static func check(
        _ call: StaticString,
        _ result: Int32
    ) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(call, Errno(rawValue: -result)) }
        return result
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String { "\(call.text): \(code)" }
}

/// A `StaticString` that can be compared.
public struct StaticStringName: Equatable, Sendable {
    let value: StaticString

    init(_ value: StaticString) { self.value = value }

    /// The name as text.
    public var text: String { value.description }

    public static func == (left: Self, right: Self) -> Bool { left.text == right.text }
}
