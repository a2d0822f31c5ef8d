// Supervisor: the main thread while services run. It waits for signals, writes the access logs, has
// services follow their settings, and ends them.

import Admin
import Engine
import Glibc
import Logging
import Net
import Options

/// What a process is to be.
struct ProcessSettings {
    var services: [ServicePlan]
    /// Where it tells of itself; nil for nowhere.
    var admin: AdminAddress?
}

/// The services of a process, from their start to their end.
final class Supervisor {
    private var services: [RunningService] = []
    /// Those that take no more connections, while they have some.
    private var retiring: [RunningService] = []
    /// Reads the settings anew; nil where they are on the command line.
    private let reload: (() throws -> ProcessSettings)?
    private let books = ProcessBooks()
    private var admin: AdminEndpoint?
    private let logger = Logger(label: "ringback")
    private let manager = ServiceManager.current
    /// Sockets that somebody else opened for the process, until a service takes them.
    private var handedOver: [ListeningSockets]
    private var liveness: Liveness
    /// Nil until the process is confined.
    private var confinement: ProcessConfinement?
    /// Whether the manager's process is another one by now.
    private var hasSuccessor = false
    private var succession = Succession()

    /// How often access logs are written, and how soon the end of a drain is noticed.
    private static let interval: UInt64 = 50 * .nanosecondsPerMillisecond
    /// How long a successor has until it serves.
    private static let successionNanoseconds: UInt64 = 30 * .nanosecondsPerSecond
    /// How often the main thread looks at the services otherwise.
    private static let watchInterval: UInt64 = 250 * .nanosecondsPerMillisecond

    /// How services ended that were not simply asked to.
    private enum Mishap {
        /// A second signal came before the drain was over.
        case cut(signal: Int32)
        /// A listener was lost; the rest was drained.
        case lostListener(Errno)
    }

    /// - Parameter reload: reads the settings anew, for SIGHUP.
    init(reload: (() throws -> ProcessSettings)? = nil) {
        self.reload = reload
        handedOver = manager.listeningSockets()
        liveness = Liveness(withinNanoseconds: manager.watchdogNanoseconds)
    }

    /// Serves until the process is to stop, or until a listener is lost; then drains.
    ///
    /// - Parameters:
    ///   - process: what the process is to be able to do.
    ///   - settings: read when it can do nothing else any more, since that tries what is there.
    func run(_ process: ProcessStart, _ settings: () throws -> ProcessSettings) throws {
        let identity = try process.confinement.identity()
        if identity != nil { handedOver += try process.bound(but: handedOver.map(\.address)) }
        let confinement = try ProcessConfinement(
            process,
            becoming: identity,
            inherited: manager.confinement
        )
        self.confinement = confinement
        books.set(confinement: confinement.reading)
        let settings = try settings()
        confinement.announce(logger)
        admin = try endpoint(at: settings.admin)
        for var plan in settings.services {
            plan.group.expectsConnections = plan.handsOver && succession.expectsConnections
            try start(plan)
        }
        for sockets in handedOver {
            logger.warning("no service listens on \(sockets.address), which was handed over")
            sockets.close()
        }
        noteServices(.serving)
        manager.say("READY=1", "STATUS=\(status)")
        succession.beginTaking(services)
        manager.sayItServes()
        while true {
            switch HeldSignals.ofService.wait(nanoseconds: interval) {
            case SIGINT, SIGTERM: return try stop(because: nil)
            case SIGHUP: follow()
            case SIGUSR1: report()
            case SIGUSR2: if handOver() { return try retire() }
            default: break
            }
            watch()
            if let loss = services.lazy.compactMap(\.lostListener).first {
                return try stop(because: .lostListener(loss))
            }
        }
    }

    private var interval: UInt64 {
        let writesLogs = services.contains { $0.current.plan.server.accessLog != nil }
        return writesLogs ? Supervisor.interval : Supervisor.watchInterval
    }

    private func start(_ plan: ServicePlan) throws {
        do {
            let wanted = plan.group.listeners.map(\.address)
            let sockets = handedOver.filter { wanted.contains($0.address) }
            handedOver.removeAll { wanted.contains($0.address) }
            let generation = try generation(plan, inheriting: sockets)
            services.append(RunningService(generation))
            announce(generation)
        } catch {
            // Those that run already have clients.
            try? stop(because: nil)
            throw error
        }
    }

    private func generation(
        _ plan: ServicePlan,
        inheriting sockets: [ListeningSockets]
    ) throws -> Generation {
        let confined = try confinement?.confined(plan) ?? plan
        return try Generation(confined, inheriting: sockets, logger)
    }

    private func announce(_ generation: Generation) {
        logger.info("\(generation.plan.announcement(generation.group.addresses))")
    }

    // ---- what is asked for ----

    /// SIGUSR1: opens the access logs anew, and says what was done so far.
    private func report() {
        for service in services {
            for generation in service.generations {
                do {
                    try generation.reopenLog()
                } catch {
                    logger.error("\((error as? Failure)?.message ?? "\(error)")")
                }
            }
            logger.info("\(service.name): \(StopReport(service.books.reading).line)")
        }
    }

    /// SIGHUP: has the services be as their settings are now. Where these are wrong, or a service
    /// cannot be started, everything stays as it was.
    private func follow() {
        guard let reload else {
            return logger.warning("nothing to reload: the settings are on the command line")
        }
        manager.sayReloading()
        defer { manager.say("READY=1", "STATUS=\(status)") }
        do {
            try follow(try reload())
            logger.info("reloaded")
        } catch let failure as Failure {
            // Where a file is to blame, each mistake has been said in a line of its own.
            let why =
                failure.message.isEmpty
                ? "the file is not in order"
                : confinement.map { $0.explained(failure.message) }
                    ?? failure.message
            logger.error("not reloaded, everything stays as it was: \(why)")
        } catch {
            logger.error("not reloaded, everything stays as it was: \(error)")
        }
    }

    private func follow(_ settings: ProcessSettings) throws {
        // Connections go to the workers of now, not to those that take over from them.
        succession.endTaking(logger)
        let plans = settings.services
        let nextAdmin = try endpoint(at: settings.admin)
        var started: [String: Generation] = [:]
        do {
            for plan in plans where !isRunning(plan) {
                let sockets = services.flatMap {
                    $0.current.group.duplicateListeners(on: plan.group.listeners.map(\.address))
                }
                started[plan.name] = try generation(plan, inheriting: sockets)
            }
        } catch {
            // They may have taken connections in the meantime: those are served to their end.
            for generation in started.values {
                let service = RunningService(generation)
                service.retire()
                retiring.append(service)
            }
            if nextAdmin !== admin { nextAdmin?.stop() }
            throw error
        }
        let names = Set(plans.map(\.name))
        for service in services {
            if let next = started.removeValue(forKey: service.name) {
                service.replace(with: next)
                announce(next)
            } else if !names.contains(service.name) {
                service.retire()
                logger.info("\(service.name) takes no more connections")
                retiring.append(service)
            }
        }
        services.removeAll { !names.contains($0.name) }
        for plan in plans {
            guard let generation = started[plan.name] else { continue }
            services.append(RunningService(generation))
            announce(generation)
        }
        if nextAdmin !== admin { admin?.stop() }
        admin = nextAdmin
        noteServices(.serving)
    }

    /// The endpoint that there is, where its place has not changed.
    private func endpoint(at address: AdminAddress?) throws -> AdminEndpoint? {
        guard let address else { return nil }
        if let admin, admin.address == address { return admin }
        guard let confinement else { return nil }
        let before = confinement.beforeAdministering(logger)
        return try AdminEndpoint(address, books, beforeServing: before, logger)
    }

    /// Which services the admin endpoint tells of. Two of a name would be one to whoever reads it.
    private func noteServices(_ phase: ProcessState) {
        let names = Set(services.map(\.name))
        let all = services + retiring.filter { !names.contains($0.name) }
        books.set(phase, all.map(\.books))
    }

    private func watch() {
        for service in services + retiring { service.watch(logger) }
        succession.watch(logger)
        for service in retiring where service.hasEnded { sayEnd(of: service) }
        if retiring.contains(where: \.hasEnded) {
            retiring.removeAll(where: \.hasEnded)
            noteServices(.serving)
        }
        if !hasSuccessor, liveness.isDue, (services + retiring).allSatisfy(\.answers) {
            liveness.shown()
            manager.say("WATCHDOG=1")
        }
    }

    /// What the manager shows of the process.
    private var status: String {
        let names = services.map(\.name).joined(separator: ", ")
        return services.count == 1 ? "serving \(names)" : "\(services.count) services: \(names)"
    }

    private func sayEnd(of service: RunningService) {
        let name = services.count + retiring.count == 1 ? "" : "\(service.name) "
        logger.info("\(name)stopped; \(service.join().line)")
    }

    private func isRunning(_ plan: ServicePlan) -> Bool {
        services.contains { $0.current.plan.name == plan.name && $0.current.plan.isSame(as: plan) }
    }

    // ---- the successor ----

    /// SIGUSR2: starts the program anew, which may be another version by now, with the sockets that
    /// listen. Where it does not come to serve, everything stays as it was.
    ///
    /// - Returns: whether it serves.
    private func handOver() -> Bool {
        logger.info("a successor is started")
        succession.endTaking(logger)
        // Its address can be the successor's only when it is nobody's.
        let address = admin?.address
        admin?.stop()
        admin = nil
        do throws(SystemError) {
            let listeners = services.flatMap { $0.current.group.listeners }
            let successor = try Successor.start(
                handingOver: listeners.map {
                    let name = manager.name(ofSocketOn: $0.localAddress)
                    return ServiceManager.Socket(descriptor: $0, name: name)
                },
                givesConnections: services.contains(where: \.current.plan.handsOver),
                confinement: confinement?.marks ?? ""
            )
            if successor.waitUntilItServes(nanoseconds: Supervisor.successionNanoseconds) {
                manager.say("MAINPID=\(successor.process)")
                hasSuccessor = true
                logger.info("process \(successor.process) takes over")
                for service in services { service.retire() }
                succession.beginGiving(services, to: successor, logger)
                return true
            }
            logger.error("the successor did not come to serve; everything stays as it was")
        } catch {
            logger.error("no successor can be started: \(error); everything stays as it was")
        }
        do {
            admin = try endpoint(at: address)
        } catch {
            logger.error("\((error as? Failure)?.message ?? "\(error)")")
        }
        return false
    }

    /// Keeps the connections that there are until they end or have gone, or until the process is to
    /// stop.
    private func retire() throws {
        while !(services + retiring).allSatisfy(\.hasEnded) {
            let signal = HeldSignals.ofService.wait(nanoseconds: interval)
            if signal == SIGINT || signal == SIGTERM { break }
            if signal == SIGUSR1 { report() }
            watch()
        }
        try stop(because: nil)
    }

    // ---- the end ----

    private func stop(because loss: Mishap?) throws {
        services += retiring
        retiring = []
        noteServices(.draining)
        if !hasSuccessor { manager.say("STOPPING=1", "STATUS=draining") }
        succession.endTaking(logger)
        succession.endGiving(logger)
        for service in services { service.requestStop(logger) }
        if !services.isEmpty { logger.info("draining; a second signal ends it now") }
        var mishap = loss
        var remaining = Remaining(hasSuccessor ? nil : manager, logger)
        while !services.allSatisfy(\.hasEnded) {
            let signal = HeldSignals.stopping.wait(nanoseconds: Supervisor.interval)
            if let signal, !isCut(mishap) {
                mishap = .cut(signal: signal)
                for service in services { service.requestCut() }
            }
            watch()
            remaining.sayIfDue { services.reduce(0) { $0 + $1.books.reading.connections } }
        }
        for service in services { sayEnd(of: service) }
        admin?.stop()
        switch mishap {
        case .cut(let signal): throw Failure(ExitStatus(signal: signal))
        case .lostListener(let error):
            throw Failure(.couldNotRun, "a listener accepts no more: \(error); start it again")
        case nil: break
        }
    }

    private func isCut(_ mishap: Mishap?) -> Bool {
        if case .cut = mishap { true } else { false }
    }
}

/// When the watchdog wants to hear again.
private struct Liveness {
    private let nanoseconds: UInt64?
    private var nextAt: UInt64 = 0

    /// - Parameter limit: of silence; nil where nobody watches.
    init(withinNanoseconds limit: UInt64?) {
        // sd_watchdog_enabled(3) recommends half of it.
        nanoseconds = limit.map { $0 / 2 }
    }

    var isDue: Bool { nanoseconds != nil && Clock.monotonicNanoseconds() >= nextAt }

    mutating func shown() { nextAt = Clock.monotonicNanoseconds() + (nanoseconds ?? 0) }
}

/// What a drain still waits for: to the manager each second, to the log now and then.
private struct Remaining {
    private let manager: ServiceManager?
    private let logger: Logger
    private let startedAt = Clock.monotonicNanoseconds()
    private var seconds: UInt64 = 0
    /// How often the log hears of it, in seconds.
    private static let logInterval: UInt64 = 5

    init(_ manager: ServiceManager?, _ logger: Logger) {
        self.manager = manager
        self.logger = logger
    }

    mutating func sayIfDue(_ count: () -> Int) {
        let passed = (Clock.monotonicNanoseconds() - startedAt) / .nanosecondsPerSecond
        guard passed > seconds else { return }
        seconds = passed
        let count = count()
        let line = "draining, \(count) \(count == 1 ? "connection" : "connections") left"
        manager?.say("STATUS=\(line)")
        if passed % Remaining.logInterval == 0 { logger.info("\(line)") }
    }
}
