// The options of a service that concern its buffers and its connections.

import ArgumentParser
import Engine
import Net
import Options

/// `--buffers`, `--buffer-bytes`, `--max-pending`, `--pipes`.
struct MemoryOptions: ParsableArguments {
    @Option(help: "Buffers of each worker: a power of two.")
    var buffers: Int = 1024

    @Option(help: "The size of a buffer.")
    var bufferBytes = ByteSize(bytes: 64 * 1024)

    @Option(help: "Bytes that wait for a slow reader before its sending is no longer read.")
    var maxPending = ByteSize(bytes: 64 * 1024)

    @Option(
        help: """
            Pipes of each worker through which large amounts go without being copied; 0 copies \
            everything.
            """
    )
    var pipes = MemoryOptions.usualPipes

    static let usualPipes = 16

    /// The descriptors of all pipes. A number of pipes that there cannot be is refused later.
    func pipeDescriptors(workers: Int) -> Int { 2 * min(max(0, pipes), 254) * workers }

    func apply(to limits: inout Limits) {
        limits.bufferCount = buffers
        limits.bufferBytes = bufferBytes.bytes
        limits.pendingBytesMax = maxPending.bytes
        limits.pipeCount = pipes
    }
}

/// What every service has: where it listens, on which kernel interface, with how many workers, and
/// where it writes of its connections.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where to listen, or systemd:NAME for a socket of its unit; may be given again.",
            valueName: "address"
        )
    )
    var listen: [String] = ["127.0.0.1:8888"]

    @Option(help: "The kernel interface: auto takes io_uring where it works.")
    var backend: BackendChoice = .auto

    @Option(help: "How many workers: auto is one for each CPU.")
    var workers: WorkerCount = .auto

    @Option(help: "How many of the workers run on epoll beside io_uring, to compare the two.")
    var epollWorkers = 0

    @Flag(inversion: .prefixedNo, help: "Pin each worker to a CPU of its own.")
    var pin = true

    @Option(
        help: ArgumentHelp(
            """
            Look for events before sleeping: off, for so long, or auto: only while it pays and \
            nobody else wants the CPU.
            """,
            valueName: "off|auto|duration"
        )
    )
    var busyPoll = BusyPollingChoice(.auto)

    @OptionGroup(title: "Buffers")
    var memory: MemoryOptions

    @OptionGroup(title: "Connections")
    var connections: ConnectionOptions

    @Option(
        help: ArgumentHelp(
            "Write a line for each connection that ended; - is stdout.",
            valueName: "file"
        )
    )
    var accessLog: String?

    @Option(help: "The form of the access log.")
    var accessLogFormat: AccessLogFormat = .text

    #if BUGBANK
        @OptionGroup(visibility: .hidden)
        var bugBank: FaultOption
    #endif

    /// The plan of the workers.
    ///
    /// - Parameters:
    ///   - name: of the service.
    ///   - slotsEach: connections that each client comes to have, its own among them.
    func makePlan(_ backend: Backend, name: String, slotsEach: Int = 1) throws -> GroupPlan {
        let cpus = CPUSet.allowed()
        let workerCount = try workers.resolve(cpus: cpus.count)
        guard backend == .uring || !connections.registeredFiles else {
            throw Failure(.usage, "--registered-files needs io_uring, which is not used here")
        }
        let slots = try connections.perWorker(
            workerCount,
            slotsEach: slotsEach,
            pipeDescriptors: memory.pipeDescriptors(workers: workerCount)
        )
        var limits = Limits(connectionsMax: slots)
        limits.slotsPerClient = slotsEach
        memory.apply(to: &limits)
        if let problem = limits.problem { throw Failure(.usage, problem) }

        var plan = GroupPlan(backend: backend, limits: limits)
        plan.workerCount = workerCount
        guard (0...workerCount).contains(epollWorkers) else {
            throw Failure(.usage, "--epoll-workers must be from 0 to --workers, \(workerCount)")
        }
        guard epollWorkers == 0 || !connections.registeredFiles else {
            throw Failure(.usage, "--registered-files needs io_uring for every worker")
        }
        plan.epollWorkerCount = epollWorkers
        plan.cpus = pin ? cpus : []
        plan.busyPolling = busyPoll.polling
        plan.name = name
        plan.policy = try connections.policy()
        plan.recordsConnections = accessLog != nil
        plan.registersFiles = connections.registeredFiles
        return plan
    }

    /// Everywhere that the service is to listen.
    func listeners() throws -> [ListenOptions] { try listen.flatMap(listeners(of:)) }

    /// Where one `--listen` is to listen: `systemd:NAME` stands for the sockets that the service
    /// manager calls so.
    func listeners(of text: String) throws -> [ListenOptions] {
        guard let name = ServiceManager.name(in: text) else {
            let address: SocketAddress
            do throws(AddressError) {
                address = try SocketAddress(parsing: text)
            } catch {
                throw Failure(.usage, "--listen: \(error)")
            }
            return [try connections.listener(address)]
        }
        let sockets = ServiceManager.current.listeningSockets(named: name)
        guard !sockets.isEmpty else {
            throw Failure(
                .usage,
                "--listen \(text): no socket of that name was handed over (systemd.socket(5), "
                    + "FileDescriptorName=)"
            )
        }
        return try sockets.map { try connections.listener($0.address) }
    }
}

/// Who may connect, and how long connections may be silent, stalled or half closed.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "Connections at once, shared out evenly among the workers.")
    var maxConnections: Int?

    @Flag(help: "Keep connections in tables of the rings, not as descriptors (io_uring, 6.8).")
    var registeredFiles = false

    @Option(help: "Connections at once from one address, of IPv6 one /64; 0 for any number.")
    var maxConnectionsPerIp = 0

    @Option(help: "Connections accepted in a second; 0 for any number.")
    var acceptRate = 0

    @Option(help: "Connections in a second from one address, of IPv6 one /64; 0 for any number.")
    var acceptRatePerIp = 0

    @Option(help: "Finished handshakes that wait for accept; the kernel's somaxconn is the limit.")
    var backlog: Int?

    @Option(help: "Close a connection on which nothing moves for so long; 0 never does.")
    var idleTimeout = TimeSpan(nanoseconds: 0)

    @Option(help: "End a half-closed connection on which nothing moves for so long; 0 never does.")
    var halfCloseTimeout = TimeSpan.seconds(60)

    @Option(help: "Cut a peer that takes nothing of what is sent for so long; 0 never does.")
    var writeTimeout = TimeSpan.seconds(60)

    @Option(help: "How long connections may take to finish at a stop.")
    var drainTimeout = TimeSpan.seconds(30)

    @Option(
        help: """
            Connections let go in a second at a stop, those that are silent for longest first; 0 \
            lets all go at once.
            """
    )
    var drainRate = 0

    @Option(
        help: ArgumentHelp(
            "Probe silent peers: seconds of silence, seconds between probes, probes; or off.",
            valueName: "idle,interval,count"
        )
    )
    var keepalive = KeepaliveChoice(keepalive: Keepalive())

    @Option(help: "How long sent bytes may go unacknowledged; 0 leaves it to the kernel.")
    var userTimeout = TimeSpan(nanoseconds: 0)

    @Option(help: "What the kernel may hold for each client on its way out; 0 lets it adapt.")
    var sendBuffer = ByteSize(bytes: 0)

    @Option(help: "What the kernel may hold for each client on its way in; 0 lets it adapt.")
    var receiveBuffer = ByteSize(bytes: 0)

    /// How many there may be where nothing is said and descriptors allow it.
    static let usualConnections = 10_000

    /// The capacity of each worker. Makes room for the descriptors of all.
    ///
    /// - Parameters:
    ///   - slotsEach: connections that each client comes to have, its own among them.
    ///   - pipeDescriptors: descriptors of the pipes of all workers.
    func perWorker(
        _ workerCount: Int,
        slotsEach: Int = 1,
        pipeDescriptors: Int = 0
    ) throws -> Int {
        let room = DescriptorRoom.connectionsAllowed(pipeDescriptors: pipeDescriptors)
        let clients = maxConnections ?? min(Self.usualConnections, max(1, room / slotsEach))
        guard clients >= 1 else {
            throw Failure(.usage, "--max-connections must be at least 1, not \(clients)")
        }
        // More than any host has descriptors; the products below would overflow.
        guard clients <= Int(UInt32.max) else {
            throw Failure(
                .usage,
                "--max-connections must be at most \(UInt32.max), not \(clients)"
            )
        }
        let each = ((clients - 1) / workerCount + 1) * slotsEach
        let all = clients * slotsEach
        if registeredFiles {
            try DescriptorRoom.prepare(forRegisteredFiles: each)
        } else {
            try DescriptorRoom.prepare(forConnections: all, pipeDescriptors: pipeDescriptors)
        }
        return each
    }

    func policy() throws -> ConnectionPolicy {
        guard maxConnectionsPerIp >= 0 else {
            throw Failure(.usage, "--max-connections-per-ip must not be negative")
        }
        guard acceptRate >= 0 else { throw Failure(.usage, "--accept-rate must not be negative") }
        guard acceptRatePerIp >= 0 else {
            throw Failure(.usage, "--accept-rate-per-ip must not be negative")
        }
        guard drainRate >= 0 else { throw Failure(.usage, "--drain-rate must not be negative") }
        guard drainRate == 0 || drainTimeout.nanoseconds > 0 else {
            throw Failure(
                .usage,
                "--drain-rate needs a --drain-timeout; with 0 all are cut at once"
            )
        }
        var policy = ConnectionPolicy()
        policy.drainsPerSecond = drainRate
        policy.connectionsPerAddress = maxConnectionsPerIp
        policy.acceptsPerSecond = acceptRate
        policy.acceptsPerSecondPerAddress = acceptRatePerIp
        policy.idleNanoseconds = idleTimeout.nanoseconds
        policy.halfCloseNanoseconds = halfCloseTimeout.nanoseconds
        policy.writeNanoseconds = writeTimeout.nanoseconds
        policy.drainNanoseconds = drainTimeout.nanoseconds
        return policy
    }

    func listener(_ address: SocketAddress) throws -> ListenOptions {
        var options = ListenOptions(address: address)
        if let backlog {
            guard (1...65535).contains(backlog) else {
                throw Failure(.usage, "--backlog must be from 1 to 65535, not \(backlog)")
            }
            options.backlog = Int32(backlog)
        }
        options.keepalive = keepalive.keepalive
        let milliseconds = userTimeout.nanoseconds / .nanosecondsPerMillisecond
        guard milliseconds <= UInt64(Int32.max) else {
            throw Failure(.usage, "--user-timeout is too long")
        }
        options.userTimeoutMilliseconds = Int32(milliseconds)
        options.sendBufferBytes = try Self.socketBuffer("--send-buffer", sendBuffer)
        options.receiveBufferBytes = try Self.socketBuffer("--receive-buffer", receiveBuffer)
        return options
    }

    /// The kernel clips what is too small or above the host's limit, and says nothing (socket(7)).
    private static func socketBuffer(_ name: String, _ size: ByteSize) throws -> Int32 {
        // It doubles the value.
        guard size.bytes <= Int32.max / 2 else {
            throw Failure(.usage, "\(name) must be at most 1 GiB less a byte, or 0")
        }
        return Int32(size.bytes)
    }
}

/// `--keepalive`: `60s,10s,6`, the same without units, or `off`.
struct KeepaliveChoice: ExpressibleByArgument {
    let keepalive: Keepalive?

    init(keepalive: Keepalive?) { self.keepalive = keepalive }

    init?(argument: String) {
        if argument == "off" {
            keepalive = nil
            return
        }
        // The bounds are the kernel's (tcp(7)).
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let times = parts.dropLast().map { $0.hasSuffix("s") ? $0.dropLast() : $0 }
        let numbers = (times + [parts[2]]).compactMap { Int32($0) }
        guard numbers.count == 3, numbers.allSatisfy({ $0 >= 1 && $0 <= 32767 }), numbers[2] <= 127
        else { return nil }
        var chosen = Keepalive()
        chosen.idleSeconds = numbers[0]
        chosen.intervalSeconds = numbers[1]
        chosen.count = numbers[2]
        keepalive = chosen
    }

    var defaultValueDescription: String {
        keepalive.map { "\($0.idleSeconds)s,\($0.intervalSeconds)s,\($0.count)" } ?? "off"
    }
}
