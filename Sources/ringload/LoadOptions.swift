// LoadOptions: what every workload is told in the same words, and the plan that comes of it.

import ArgumentParser
import Engine
import Load
import Measure
import Net
import Options

/// Options of all workloads.
struct LoadOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The servers, such as 127.0.0.1:8888; connections take them in turn.",
            valueName: "host:port"
        )
    )
    var targets: [String]

    @Option(help: "Connections of all workers together.")
    var connections = 50

    @Option(help: "How long to measure; 10s where nothing else is said.")
    var duration: TimeSpan?

    @Option(help: "Measure until so many messages have been exchanged, and not for a time.")
    var count: Int?

    @Option(help: "How long to run before measuring; 0 with --count, otherwise 1s.")
    var warmup: TimeSpan?

    @Option(help: "Spread the connects over so long.")
    var ramp = TimeSpan(nanoseconds: 0)

    @Option(help: "How long a connect or a response may take.")
    var timeout = TimeSpan.seconds(10)

    @Option(
        help: ArgumentHelp(
            "Connect from these addresses or prefixes, such as 127.0.0.0/8.",
            valueName: "list"
        )
    )
    var source = SourceList()

    @Option(
        help: ArgumentHelp(
            """
            Make one of n equal parts of the load, counted from 0: connections, rate, count and \
            sources are those of all parts together.
            """,
            valueName: "i/n"
        )
    )
    var part = Part.whole

    @Option(help: "Worker threads of the load generator.")
    var workers: WorkerCount = .count(1)

    @Option(help: "The load generator's own kernel interface.")
    var backend: BackendChoice = .auto

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

    @Option(help: ArgumentHelp("CPUs to pin the workers to, such as 1 or 2,3.", valueName: "list"))
    var cpus: String?

    @Flag(help: "Key every byte to its connection and offset, and check what comes back.")
    var verify = false

    @Option(help: "End this share of the connections with RST, such as 5%.")
    var rst = Share(fraction: 0)

    @Option(help: "Decides sizes, keys and arrivals; printed with the results.")
    var seed: UInt64?

    /// The plan, as far as it is the same for all workloads, and how its backend was chosen.
    ///
    /// - Parameter connectionsLast: whether a connection has more than one request.
    func makePlan(connectionsLast: Bool = true) throws -> (LoadPlan, String) {
        let chosen = try backend.resolve()
        try check(connections, "--connections", part.count...1_000_000)
        let connections = part.share(of: connections).count
        let addresses = try targets.map(LoadOptions.resolve)
        var plan = LoadPlan(target: addresses[0], backend: chosen.backend)
        plan.busyPolling = busyPoll.polling
        plan.targets = addresses
        let allowed = CPUSet.allowed()
        plan.workerCount = min(try workers.resolve(cpus: allowed.count), connections)
        plan.registersFiles = try makeRoom(
            connections,
            chosen,
            plan.workerCount,
            connectionsLast
        )
        plan.cpus = try parseCPUs(allowed)
        plan.connections = connections
        plan.sources = source.addresses(connections: connections, part: part)
        guard plan.sources.isEmpty == source.prefixes.isEmpty else {
            throw Failure(.usage, "--source has fewer addresses than --part has parts")
        }
        guard !plan.hasNoEndpoint else {
            throw Failure(.usage, "--source has no address of the target's family")
        }
        plan.span = try span()
        plan.warmupNanoseconds =
            warmup?.nanoseconds ?? (count == nil ? UInt64.nanosecondsPerSecond : 0)
        plan.rampNanoseconds = ramp.nanoseconds
        guard timeout.nanoseconds > 0 else { throw Failure(.usage, "--timeout must be above 0") }
        plan.timeoutNanoseconds = timeout.nanoseconds
        plan.verifies = verify
        plan.resetShare = rst.fraction
        plan.seed = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        return (plan, chosen.explanation + (plan.registersFiles ? ", registered files" : ""))
    }

    private func span() throws -> Span {
        if let count {
            guard duration == nil else {
                throw Failure(.usage, "--duration and --count exclude each other")
            }
            try check(count, "--count", part.count...Int.max / 2)
            return .messages(UInt64(part.share(of: count).count))
        }
        let duration = duration ?? .seconds(10)
        guard duration.nanoseconds > 0 else { throw Failure(.usage, "--duration must be above 0") }
        return .nanoseconds(duration.nanoseconds)
    }

    /// Makes room for the connections: in tables of the rings or as descriptors. To make and close
    /// a registered file costs more than a descriptor, so it has to last; its requests cost less.
    ///
    /// - Returns: whether connections are registered files.
    private func makeRoom(
        _ connections: Int,
        _ chosen: ChosenBackend,
        _ workerCount: Int,
        _ connectionsLast: Bool
    ) throws -> Bool {
        let files = (connections + workerCount - 1) / workerCount + 1
        let fits = connections <= DescriptorRoom.connectionsAllowed()
        let isWanted = connectionsLast && files <= DescriptorLimit.current().hard || !fits
        guard chosen.registersFiles, isWanted else {
            try DescriptorRoom.prepare(forConnections: connections)
            return false
        }
        try DescriptorRoom.prepare(forRegisteredFiles: files)
        return true
    }

    static func resolve(_ target: String) throws -> SocketAddress {
        let (host, port): (String, UInt16)
        do {
            (host, port) = try SocketAddress.splitHostAndPort(target)
        } catch {
            throw Failure(.usage, "\(error)")
        }
        guard let address = SocketAddress.resolve(host: host, port: port).first else {
            throw Failure(.couldNotRun, "the name '\(host)' does not resolve to an address")
        }
        return address
    }

    private func parseCPUs(_ allowed: [Int32]) throws -> [Int32] {
        guard let cpus else { return [] }
        let numbers = cpus.split(separator: ",").map { Int32($0) }
        guard !numbers.isEmpty, numbers.allSatisfy({ $0.map(allowed.contains) ?? false }) else {
            let list = allowed.map(String.init).joined(separator: ",")
            throw Failure(.usage, "--cpus '\(cpus)': this process may run on \(list)")
        }
        return numbers.compactMap { $0 }
    }
}

/// Refuses a number that is out of its range.
func check(_ value: Int, _ option: String, _ range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
        throw Failure(
            .usage,
            "\(option) must be from \(range.lowerBound) to \(range.upperBound), not \(value)"
        )
    }
}
