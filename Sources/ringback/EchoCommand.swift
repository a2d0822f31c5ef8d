// ringback echo: opens the listeners, runs the workers, and stops on SIGINT or SIGTERM.

import ArgumentParser
import Engine
import Logging
import Net
import Options
import Services

struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Send back whatever arrives (RFC 862).",
        discussion: """
            Examples:
              ringback echo                                    then, elsewhere: nc 127.0.0.1 8888
              ringback echo --listen 0.0.0.0:7 --workers 4
              ringback echo --listen '[::]:8888'               IPv6 and IPv4 on one port
              ringback echo --backend epoll --max-connections 50000
            """
    )

    @Option(
        help: ArgumentHelp("Where to listen; may be given several times.", valueName: "address")
    )
    var listen: [String] = ["127.0.0.1:8888"]

    @Option(help: "The kernel interface: auto takes io_uring where it works.")
    var backend: BackendChoice = .auto

    @Option(help: "How many workers: auto is one for each CPU.")
    var workers: WorkerCount = .auto

    @Option(help: "Connections at once, shared out evenly among the workers.")
    var maxConnections: Int?

    @Option(help: "Buffers of each worker: a power of two.")
    var buffers: Int = 1024

    @Option(help: "The size of a buffer.")
    var bufferBytes: ByteSize = ByteSize(bytes: 64 * 1024)

    @Flag(inversion: .prefixedNo, help: "Pin each worker to a CPU of its own.")
    var pin = true

    func run() throws {
        StopSignal.block()
        let chosen = try backend.resolve()
        let plan = try makePlan(chosen.backend)
        let logger = Logger(label: "ringback")
        let group = try start(plan)
        logger.info("\(announcement(plan, chosen, group.addresses))")
        _ = StopSignal.wait()
        logger.info("stopped; \(StopReport(group.stop(), backend: plan.backend).line)")
    }

    private func makePlan(_ backend: Backend) throws -> GroupPlan {
        let cpus = CPUSet.allowed()
        let workerCount = try workers.resolve(cpus: cpus.count)
        let connections = try connectionsWanted()
        try DescriptorRoom.prepare(forConnections: connections)

        var limits = Limits(connectionsMax: (connections + workerCount - 1) / workerCount)
        limits.bufferCount = buffers
        limits.bufferBytes = bufferBytes.bytes
        if let problem = limits.problem { throw Failure(.usage, problem) }

        var plan = GroupPlan(backend: backend, limits: limits)
        plan.workerCount = workerCount
        plan.cpus = pin ? cpus : []
        plan.name = "echo"
        do {
            plan.listeners = try listen.map {
                ListenOptions(address: try SocketAddress(parsing: $0))
            }
        } catch {
            throw Failure(.usage, "\(error)")
        }
        return plan
    }

    private func connectionsWanted() throws -> Int {
        guard let maxConnections else { return min(10_000, DescriptorRoom.connectionsAllowed) }
        guard maxConnections >= 1 else {
            throw Failure(.usage, "--max-connections must be at least 1, not \(maxConnections)")
        }
        return maxConnections
    }

    private func start(_ plan: GroupPlan) throws -> WorkerGroup {
        do {
            return try WorkerGroup(plan) { _ in EchoService() }
        } catch {
            throw Failure(.couldNotRun, error.explanation)
        }
    }

    private func announcement(
        _ plan: GroupPlan,
        _ chosen: ChosenBackend,
        _ addresses: [SocketAddress]
    ) -> String {
        let places = addresses.map(\.description).joined(separator: ", ")
        let workers = plan.workerCount == 1 ? "1 worker" : "\(plan.workerCount) workers"
        let first = addresses[0]
        return "echo on \(places) by \(chosen.explanation), \(workers)"
            + (plan.cpus.isEmpty ? "" : ", pinned")
            + "; try: nc \(first.hostForPeople) \(first.port)"
    }
}

extension SocketAddress {
    /// The address to type on this machine: a wildcard is reached through the loopback.
    fileprivate var hostForPeople: String {
        let host = description.split(separator: ":").dropLast().joined(separator: ":")
        switch host {
        case "0.0.0.0", "[::]", "[:]": return "localhost"
        default: return host.filter { $0 != "[" && $0 != "]" }
        }
    }
}
