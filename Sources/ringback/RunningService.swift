// RunningService: a service that runs. Its workers are a generation: where its settings change, a
// new one takes over the listeners, and the old one keeps the connections that it has until they
// end.

import Admin
import Engine
import Logging
import Net
import Options

/// Workers that were started together, with what stands beside them.
final class Generation {
    let plan: ServicePlan
    let group: WorkerGroup
    private let log: AccessLog?
    private let end: () -> Void

    /// Starts the workers. The probe's ring was small; the workers' own may meet a limit that it
    /// did not, and then it is epoll where the choice is ours. An address that cannot be listened
    /// on is none of the backend's business.
    init(_ plan: ServicePlan, inheriting sockets: [ListeningSockets], _ logger: Logger) throws {
        var plan = plan
        do {
            log = try plan.server.accessLog.map {
                try AccessLog(path: $0, format: plan.server.accessLogFormat)
            }
        } catch {
            for sockets in sockets { sockets.close() }
            throw error
        }
        log?.describe = plan.describe
        group = try Generation.start(&plan, inheriting: sockets)
        self.plan = plan
        do {
            end = try plan.whileRunning(group, plan.group.beforeServing, logger)
        } catch {
            group.stop()
            throw error
        }
    }

    private static func start(
        _ plan: inout ServicePlan,
        inheriting sockets: [ListeningSockets]
    ) throws -> WorkerGroup {
        // Whoever fails closes what it was given, and a second try needs it.
        let spare = sockets.compactMap { try? $0.duplicate() }
        plan.group.inherited = sockets
        do throws(StartFailure) {
            let group = try plan.startWorkers(plan.group)
            for sockets in spare { sockets.close() }
            return group
        } catch {
            guard case .worker = error, plan.server.backend == .auto,
                plan.chosen.backend == .uring, !plan.group.registersFiles
            else {
                for sockets in spare { sockets.close() }
                throw Failure(.couldNotRun, error.explanation)
            }
            plan.chosen = ChosenBackend(
                backend: .epoll,
                explanation: "epoll, since \(error.explanation)"
            )
            plan.group.backend = .epoll
        }
        plan.group.inherited = spare
        do throws(StartFailure) {
            return try plan.startWorkers(plan.group)
        } catch {
            throw Failure(.couldNotRun, error.explanation)
        }
    }

    /// Writes the lines of connections that have ended.
    func writeRecords() {
        guard let log else { return }
        group.takeRecords { log.write($0) }
        log.flush()
    }

    /// Opens the access log anew, where it was moved away.
    func reopenLog() throws { try log?.reopen() }

    /// Waits for the workers to end.
    func join() {
        end()
        _ = group.join()
        writeRecords()
    }
}

/// A service and its generations.
final class RunningService {
    private(set) var current: Generation
    /// Those whose listeners have been taken over, while they have connections.
    private var earlier: [Generation] = []
    /// For whoever wants to know.
    let books: ServiceBooks
    private var acceptPause: Errno?

    init(_ first: Generation) {
        current = first
        books = ServiceBooks(name: first.plan.name, kind: first.plan.kind)
        books.begin(ServiceBooks.Entry(first.plan, first.group))
    }

    var name: String { current.plan.name }
    var generations: [Generation] { earlier + [current] }
    var lostListener: Errno? { current.group.lostListener }
    var hasEnded: Bool { generations.allSatisfy(\.group.hasEnded) }

    /// Has another generation go on.
    func replace(with next: Generation) {
        books.begin(ServiceBooks.Entry(next.plan, next.group))
        current.group.requestRetirement()
        earlier.append(current)
        current = next
    }

    /// Takes no more connections.
    func retire() {
        current.group.requestRetirement()
    }

    /// Has all generations end, at the pace that the newest settings ask for.
    func requestStop(_ logger: Logger) {
        let pace = DrainPace(current.plan.group.policy)
        for generation in generations { generation.group.requestStop(pacedBy: pace) }
        guard let drain = PacedDrain(current.plan.group.policy) else { return }
        let clients = books.reading.connections / current.plan.group.limits.slotsPerClient
        guard clients > 0 else { return }
        logger.info("\(name): \(drain.announcement(clients: clients))")
        if let doubt = drain.doubt(clients: clients) { logger.warning("\(name): \(doubt)") }
    }

    func requestCut() { for generation in generations { generation.group.requestCut() } }

    /// Whether every worker answers.
    var answers: Bool {
        generations.allSatisfy {
            $0.group.answers(withinNanoseconds: ServiceBooks.answerNanoseconds)
        }
    }

    /// What the main thread does from time to time.
    func watch(_ logger: Logger) {
        for generation in generations { generation.writeRecords() }
        for generation in earlier where generation.group.hasEnded { end(generation) }
        earlier.removeAll { $0.group.hasEnded }
        reportPause(logger)
    }

    /// Waits for all workers to end, and says what they did.
    func join() -> StopReport {
        let report = StopReport(books.reading)
        for generation in generations { end(generation) }
        return report
    }

    private func end(_ generation: Generation) {
        generation.join()
        books.end(generation.group)
    }

    /// Says once that accepting pauses, and once that it goes on.
    private func reportPause(_ logger: Logger) {
        let pause = current.group.acceptPause
        if let pause, acceptPause == nil {
            logger.warning("accepting pauses: \(pause); clients wait; see ulimit -n and -Hn")
        } else if pause == nil, acceptPause != nil {
            logger.info("accepting goes on")
        }
        acceptPause = pause
    }
}
