// ringback echo: opens the listeners, runs the workers, and drains on SIGINT or SIGTERM.

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
              ringback echo --idle-timeout 5m --access-log -
              ringback echo --backend epoll --max-connections 50000

            SIGTERM and SIGINT drain: listeners close at once, and connections finish what they
            hold, within --drain-timeout. A second signal ends the service now.

            Exit status: 0 stopped and drained, 1 could not run, 2 bad arguments,
            130 and 143 when a second SIGINT or SIGTERM cut connections.
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

    @Flag(inversion: .prefixedNo, help: "Pin each worker to a CPU of its own.")
    var pin = true

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

    func run() throws {
        StopSignal.block()
        #if BUGBANK
            try bugBank.putBack()
        #endif
        var chosen = try backend.resolve()
        var plan = try makePlan(chosen.backend)
        let log = try accessLog.map { try AccessLog(path: $0, format: accessLogFormat) }
        let logger = Logger(label: "ringback")
        let group: WorkerGroup
        do throws(StartFailure) {
            group = try WorkerGroup(plan) { _ in EchoService() }
        } catch {
            // The probe's ring was small; the workers' own may meet a limit that it did not. An
            // address that cannot be listened on is none of the backend's business.
            guard case .worker = error, backend == .auto, chosen.backend == .uring,
                !plan.registersFiles
            else { throw Failure(.couldNotRun, error.explanation) }
            chosen = ChosenBackend(
                backend: .epoll,
                explanation: "epoll, since \(error.explanation)"
            )
            plan.backend = .epoll
            group = try start(plan)
        }
        logger.info("\(announcement(plan, chosen, group.addresses))")
        let service = RunningService(group, log: log, logger: logger)
        let mishap = service.runUntilEnded()
        logger.info("stopped; \(StopReport(group.join(), backend: plan.backend).line)")
        switch mishap {
        case .cut(let signal): throw Failure(ExitStatus(signal: signal))
        case .lostListener(let error):
            throw Failure(.couldNotRun, "a listener accepts no more: \(error); start it again")
        case nil: break
        }
    }

    private func makePlan(_ backend: Backend) throws -> GroupPlan {
        let cpus = CPUSet.allowed()
        let workerCount = try workers.resolve(cpus: cpus.count)
        guard backend == .uring || !connections.registeredFiles else {
            throw Failure(.usage, "--registered-files needs io_uring, which is not used here")
        }
        var limits = Limits(connectionsMax: try connections.perWorker(workerCount))
        memory.apply(to: &limits)
        if let problem = limits.problem { throw Failure(.usage, problem) }

        var plan = GroupPlan(backend: backend, limits: limits)
        plan.workerCount = workerCount
        plan.cpus = pin ? cpus : []
        plan.name = "echo"
        plan.policy = try connections.policy(workers: workerCount)
        plan.recordsConnections = accessLog != nil
        plan.registersFiles = connections.registeredFiles
        do {
            plan.listeners = try listen.map {
                try connections.listener(try SocketAddress(parsing: $0))
            }
        } catch let error as AddressError {
            throw Failure(.usage, "\(error)")
        }
        return plan
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
            + (plan.registersFiles ? ", registered files" : "")
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
