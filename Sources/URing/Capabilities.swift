// Capabilities: what the running kernel's io_uring can do, found by trying, and, where it can do
// nothing, why and what would help.

internal import CURing
public import Net

/// What the io_uring of this kernel offers to this process.
public struct Capabilities: Sendable {
    /// The set-up flags it accepts.
    public let setupFlags: SetupFlags
    /// The feature bits of io_uring_setup(2).
    public let featureBits: UInt32
    /// Whether connections can be registered files (Linux 6.8, for IORING_OP_FIXED_FD_INSTALL).
    public let registersFiles: Bool
    /// Whether rings can be restricted to what a driver does (Linux 5.10).
    public let restrictsRings: Bool

    /// Tries it, on the calling thread.
    ///
    /// - Throws: `Unavailable` with the likely cause and its remedy.
    public static func probe() throws(Unavailable) -> Capabilities {
        let ring: KernelRing
        do throws(SystemError) {
            ring = try KernelRing(KernelRing.Options(submissionEntries: 8, completionEntries: 16))
        } catch {
            throw Unavailable(opening: error.code)
        }
        for opcode in [IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_SENDMSG]
        where !ring.supports(opcode) {
            throw .kernelTooOld(missing: "socket operations")
        }
        do throws(SystemError) {
            try ring.probeMultishotReceive()
        } catch {
            throw Unavailable(receiving: error.code)
        }
        return Capabilities(
            setupFlags: ring.setupFlags,
            featureBits: ring.features,
            registersFiles: ring.canRegisterFiles,
            restrictsRings: Capabilities.canRestrict()
        )
    }

    private static func canRestrict() -> Bool {
        var options = KernelRing.Options(submissionEntries: 8, completionEntries: 16)
        options.restriction = RingRestriction(connects: false)
        do throws(SystemError) {
            let ring = try KernelRing(options)
            try ring.enable()
            return true
        } catch {
            return false
        }
    }

    /// One line for people: the features that were found.
    public var summary: String {
        var parts: [String] = []
        if setupFlags.contains(.deferTaskrun) { parts.append("defer-taskrun") }
        if setupFlags.contains(.singleIssuer) { parts.append("single-issuer") }
        if setupFlags.contains(.cooperativeTaskrun) { parts.append("coop-taskrun") }
        parts.append("multishot accept and receive")
        parts.append("buffer rings")
        return parts.joined(separator: ", ")
    }
}

/// Why io_uring cannot be used.
public enum Unavailable: Error, Equatable, Sendable {
    /// The sysctl `kernel.io_uring_disabled` forbids it (Linux 6.6).
    case disabledBySysctl
    /// A seccomp filter or another policy forbids it, as container runtimes do by default.
    case forbidden
    /// The ring does not fit into the limit on locked memory.
    case memoryLockLimit
    /// The kernel has no io_uring, or one that lacks something needed.
    case kernelTooOld(missing: String)
    /// Anything else.
    case failed(Errno)

    init(opening error: Errno) {
        switch error {
        case .notPermitted, .accessDenied:
            self = Unavailable.sysctlForbids() ? .disabledBySysctl : .forbidden
        case .notImplemented:
            self = .kernelTooOld(missing: "io_uring")
        case .invalidArgument:
            self = .kernelTooOld(missing: "the set-up flags that are needed")
        case .outOfMemory:
            self = .memoryLockLimit
        default:
            self = .failed(error)
        }
    }

    /// Why the probe received nothing: what an old kernel answers, or the same as for opening.
    init(receiving error: Errno) {
        switch error {
        case .invalidArgument, .notSupported, .noBufferSpace, .timerExpired:
            self = .kernelTooOld(missing: "buffer rings and multishot receive")
        default:
            self = Unavailable(opening: error)
        }
    }

    private static func sysctlForbids() -> Bool {
        let level = KernelSetting.firstCharacter(of: "kernel/io_uring_disabled")
        return level == "1" || level == "2"
    }

    /// The likely cause, in a few words.
    public var cause: String {
        switch self {
        case .disabledBySysctl: "the sysctl kernel.io_uring_disabled forbids it"
        case .forbidden: "a seccomp filter or another policy forbids it (containers do by default)"
        case .memoryLockLimit: "the limit on locked memory (ulimit -l) is too small for a ring"
        case .kernelTooOld(let missing): "the kernel has no \(missing); Linux 6.0 or newer has"
        case .failed(let error): "\(error)"
        }
    }

    /// What would help.
    public var remedy: String {
        switch self {
        case .disabledBySysctl: "sysctl -w kernel.io_uring_disabled=0"
        case .forbidden: "allow io_uring_setup, io_uring_enter and io_uring_register"
        case .memoryLockLimit: "raise it, for example: ulimit -l 65536, or LimitMEMLOCK=64M"
        case .kernelTooOld: "use a newer kernel"
        case .failed: "use --backend epoll"
        }
    }
}
