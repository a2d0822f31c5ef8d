// ErrnoPolicy: what each error of a call means for the connection, in one table. Whatever is not
// listed breaks the connection it happened to, and no other.

import Net

/// What to do about an error.
enum ErrnoPolicy: Equatable {
    /// Nothing has happened: ask again when it makes sense.
    case again
    /// The peer has gone; no fault of anybody's.
    case ordinaryEnd(Termination)
    /// No buffer was free: the connection waits its turn.
    case starved
    /// Descriptors or memory have run out, or it is forbidden for now: pause.
    case overload
    /// The connection is broken.
    case broken
    /// Our own fault: stop before harm is done.
    case defect

    /// The policy for an error of a receive or a send.
    static func ofTransfer(_ error: Errno) -> ErrnoPolicy {
        switch error {
        case .interrupted, .tryAgain, .canceled: .again
        case .noBufferSpace: .starved
        // A send meets EPIPE where the peer's RST came first.
        case .connectionReset, .brokenPipe, .notConnected: .ordinaryEnd(.peerReset)
        case .timedOut: .ordinaryEnd(.keepalive)
        case .badDescriptor, .badAddress, .notSocket, .invalidArgument: .defect
        default: .broken
        }
    }

    /// The policy for an error of accepting. Network errors of the new connection itself are
    /// reported there too (accept(2)), and concern nobody else. A refusal by a policy (seccomp) may
    /// last: asked again at once it would spin.
    static func ofAccept(_ error: Errno) -> ErrnoPolicy {
        if KnownFault.acceptWithoutPause.isBack, error == .tooManyFiles { return .again }
        if KnownFault.brokenListenerAsked.isBack, error == .invalidArgument { return .again }
        return switch error {
        case .tooManyFiles, .tooManyFilesInSystem, .noBufferSpace, .outOfMemory: .overload
        case .notPermitted, .accessDenied, .notImplemented, .busy: .overload
        case .badDescriptor, .badAddress, .notSocket, .invalidArgument, .notSupported: .defect
        default: .again
        }
    }
}
