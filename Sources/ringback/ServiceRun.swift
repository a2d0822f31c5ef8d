// ServiceRun: the way of every service from its start to its end: workers on the backend that was
// chosen, or on epoll where io_uring turns out to be in want of something; a line that says what
// runs; the main thread's watch; a line that says what was done.

import Engine
import Logging
import Net
import Options

/// A service that is to run.
struct ServiceRun {
    private let server: ServerOptions
    private var plan: GroupPlan
    private var chosen: ChosenBackend
    private let log: AccessLog?
    private let logger = Logger(label: "ringback")
    /// What the announcement says behind the addresses, such as ` to 10.0.0.1:80`.
    var purpose = ""
    /// Fields of an access log line that are the service's own.
    var describe: (Remark) -> [AccessLog.Field] = { _ in [] }
    /// Counts of the service's own for the last line.
    var countFields: () -> [(name: String, value: UInt64)] = { [] }

    /// The end of every service's help.
    static let stopping = """
        SIGTERM and SIGINT drain: listeners close at once, and connections finish what they
        hold, within --drain-timeout. A second signal ends the service now.

        Exit status: 0 stopped and drained, 1 could not run, 2 bad arguments,
        130 and 143 when a second SIGINT or SIGTERM cut connections.
        """

    init(_ server: ServerOptions, _ plan: GroupPlan, _ chosen: ChosenBackend) throws {
        self.server = server
        self.plan = plan
        self.chosen = chosen
        log = try server.accessLog.map {
            try AccessLog(path: $0, format: server.accessLogFormat)
        }
    }

    /// Serves until the service is stopped.
    ///
    /// - Parameters:
    ///   - whileRunning: called once the workers run; what it returns is called when they have
    ///     ended.
    ///   - makeHandler: called on each worker's thread with the worker's number.
    mutating func run<H: Handler & ~Copyable>(
        whileRunning: (WorkerGroup, Logger) throws -> () -> Void = { _, _ in {} },
        _ makeHandler: @escaping @Sendable (Int) -> H
    ) throws {
        let group = try start(makeHandler)
        logger.info("\(announcement(group.addresses))")
        log?.describe = describe
        let end = try whileRunning(group, logger)
        let service = RunningService(group, log: log, logger: logger)
        let mishap = service.runUntilEnded()
        end()
        let report = StopReport(group.join(), backend: plan.backend, own: countFields())
        logger.info("stopped; \(report.line)")
        switch mishap {
        case .cut(let signal): throw Failure(ExitStatus(signal: signal))
        case .lostListener(let error):
            throw Failure(.couldNotRun, "a listener accepts no more: \(error); start it again")
        case nil: break
        }
    }

    /// Starts the workers. The probe's ring was small; the workers' own may meet a limit that it
    /// did not. An address that cannot be listened on is none of the backend's business.
    private mutating func start<H: Handler & ~Copyable>(
        _ makeHandler: @escaping @Sendable (Int) -> H
    ) throws -> WorkerGroup {
        do throws(StartFailure) {
            return try WorkerGroup(plan, makeHandler)
        } catch {
            guard case .worker = error, server.backend == .auto, chosen.backend == .uring,
                !plan.registersFiles
            else { throw Failure(.couldNotRun, error.explanation) }
            chosen = ChosenBackend(
                backend: .epoll,
                explanation: "epoll, since \(error.explanation)"
            )
            plan.backend = .epoll
        }
        do throws(StartFailure) {
            return try WorkerGroup(plan, makeHandler)
        } catch {
            throw Failure(.couldNotRun, error.explanation)
        }
    }

    private func announcement(_ addresses: [SocketAddress]) -> String {
        let places = addresses.map(\.description).joined(separator: ", ")
        let workers = plan.workerCount == 1 ? "1 worker" : "\(plan.workerCount) workers"
        let first = addresses[0]
        return "\(plan.name) on \(places)\(purpose) by \(chosen.explanation), \(workers)"
            + (plan.cpus.isEmpty ? "" : ", pinned")
            + (plan.registersFiles ? ", registered files" : "")
            + "; try: nc \(first.hostForPeople) \(first.port)"
    }
}

extension ServerOptions {
    /// What precedes the first thread: signals wait for the main thread.
    func prepareProcess() throws {
        StopSignal.block()
        #if BUGBANK
            try bugBank.putBack()
        #endif
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
