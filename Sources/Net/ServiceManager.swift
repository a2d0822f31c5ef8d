// ServiceManager: what a service and the one that started it say to each other, as systemd does:
// sockets that listen already (sd_listen_fds(3)), and how the service is (sd_notify(3)). Where
// nobody listens, nothing is said. A process whose successor this one is hands over sockets too.

import CLinux
import Glibc

/// Whoever started the process, by its environment.
public struct ServiceManager: Sendable {
    /// A socket that was handed over.
    public struct Socket: Equatable, Sendable {
        /// Open, and closed on exec from now on.
        public let descriptor: Descriptor
        /// What its unit calls it (FileDescriptorName=, systemd.socket(5)); "unknown" by default.
        public let name: String

        /// A socket to hand over.
        public init(descriptor: Descriptor, name: String) {
            self.descriptor = descriptor
            self.name = name
        }
    }

    private let path: String?
    /// How long the service may be silent, in nanoseconds; nil where nobody watches
    /// (sd_watchdog_enabled(3)).
    public let watchdogNanoseconds: UInt64?
    /// What was handed over, in the order of the unit's sockets.
    public let sockets: [Socket]
    /// Their names by their addresses, also when their descriptors have long been closed.
    public let names: [(address: SocketAddress, name: String)]
    /// What the process that this one succeeds says that this one is held to; nil where there is
    /// none.
    public let confinement: String?
    /// Where the process that this one succeeds waits for it; nil where there is none.
    private let predecessor: Descriptor?
    /// Where it gives its connections; nil where it keeps them. The caller's.
    public let predecessorsConnections: DescriptorChannel?
    /// The first is behind the standard streams.
    static let firstDescriptor: Int32 = 3

    /// The one of this process. What it handed over is the caller's.
    public static let current = fromEnvironment()

    /// Takes from the environment what is for this process: what is started later does not find it
    /// again.
    private static func fromEnvironment() -> ServiceManager {
        let manager = ServiceManager(
            environment: { name in getenv(name).map { String(cString: $0) } },
            process: getpid()
        )
        for name in [
            "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID",
            Successor.socketsVariable, Successor.namesVariable, Successor.readyVariable,
            Successor.confinementVariable, Successor.connectionsVariable,
        ] {
            unsetenv(name)
        }
        for socket in manager.sockets { _ = clinux_close_on_exec(socket.descriptor.rawValue) }
        if let predecessor = manager.predecessor {
            _ = clinux_close_on_exec(predecessor.rawValue)
        }
        if let channel = manager.predecessorsConnections {
            _ = clinux_close_on_exec(channel.descriptor.rawValue)
        }
        return manager
    }

    /// - Parameters:
    ///   - environment: the value of a variable, or nil.
    ///   - process: the number that this process has.
    public init(environment: (String) -> String?, process: Int32) {
        func isOurs(_ variable: String) -> Bool {
            environment(variable).map { Int32($0) == process } ?? false
        }
        path = environment("NOTIFY_SOCKET")
        confinement = environment(Successor.confinementVariable)
        predecessor = environment(Successor.readyVariable).flatMap { Int32($0) }
            .map { Descriptor(rawValue: $0) }
        predecessorsConnections = environment(Successor.connectionsVariable)
            .flatMap { Int32($0) }.map { DescriptorChannel(descriptor: Descriptor(rawValue: $0)) }
        // A successor has the variable of the process that it succeeds, and its place.
        let isWatched =
            environment("WATCHDOG_PID") == nil || isOurs("WATCHDOG_PID") || predecessor != nil
        watchdogNanoseconds = environment("WATCHDOG_USEC").flatMap { UInt64($0) }
            .flatMap { isWatched && $0 > 0 ? $0 * .nanosecondsPerMicrosecond : nil }
        let first = ServiceManager.firstDescriptor
        let isSystemds = isOurs("LISTEN_PID")
        let count =
            environment(isSystemds ? "LISTEN_FDS" : Successor.socketsVariable)
            .flatMap { Int32($0) } ?? 0
        let names = (environment(isSystemds ? "LISTEN_FDNAMES" : Successor.namesVariable) ?? "")
            .split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        sockets = (0..<max(0, min(count, 1024))).map { number in
            let name = Int(number) < names.count ? names[Int(number)] : ""
            return Socket(
                descriptor: Descriptor(rawValue: first + number),
                name: name.isEmpty ? "unknown" : name
            )
        }
        self.names = sockets.compactMap { socket in
            socket.descriptor.localAddress.map { ($0, socket.name) }
        }
    }

    /// Says assignments such as `READY=1`, a line each.
    public func say(_ lines: String...) {
        guard let path else { return }
        let text = lines.joined(separator: "\n")
        _ = clinux_send_datagram(path, text, text.utf8.count)
    }

    /// Says that connections of the process that this one succeeds are welcome: before
    /// `sayItServes`.
    public func sayItTakesConnections() {
        try? predecessorsConnections?.send(Successor.greeting)
    }

    /// Has the process that this one succeeds take its leave.
    public func sayItServes() {
        guard let predecessor else { return }
        _ = write(predecessor.rawValue, "1", 1)
        predecessor.close()
    }

    /// What a reload begins with (RELOADING=1 and the moment, sd_notify(3)).
    public func sayReloading() {
        let microseconds = Clock.monotonicNanoseconds() / .nanosecondsPerMicrosecond
        say("RELOADING=1", "MONOTONIC_USEC=\(microseconds)")
    }
}
