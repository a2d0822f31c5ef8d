// Succession: the connections that a process takes over from the one that it succeeds, and those
// that it gives to its own successor. Threads of the engine do both; the main thread begins and
// ends them.

import Admin
import Engine
import Logging
import Net

/// What a process has to do with the one before it and the one after it.
struct Succession {
    private var taker: ConnectionTaker?
    private var giver: ConnectionGiver?

    /// The least that connections have to come to rest, however short the drain is: that is for
    /// those that nothing keeps.
    private static let leastNanoseconds: UInt64 = .nanosecondsPerSecond

    // ---- from the one before ----

    /// Whether there is one that gives connections.
    var expectsConnections: Bool { ServiceManager.current.predecessorsConnections != nil }

    /// Takes connections over for services that hand theirs over.
    mutating func beginTaking(_ services: [RunningService]) {
        let manager = ServiceManager.current
        guard let channel = manager.predecessorsConnections else { return }
        let services = services.filter(\.current.plan.handsOver)
            .map { ConnectionService(kind: $0.kind, groups: [$0.current.group]) }
        guard !services.isEmpty else { return channel.close() }
        manager.sayItTakesConnections()
        taker = try? ConnectionTaker(services, over: channel)
    }

    /// Takes no more.
    mutating func endTaking(_ logger: Logger) {
        guard let taker else { return }
        taker.end()
        self.taker = nil
        guard taker.inherited > 0 else { return }
        logger.info("\(Succession.connections(taker.inherited)) taken over")
    }

    // ---- to the one after ----

    /// Gives connections to a successor that serves, where it takes any.
    mutating func beginGiving(
        _ services: [RunningService],
        to successor: Successor,
        _ logger: Logger
    ) {
        guard let channel = successor.takeConnections() else { return }
        let services = services.filter(\.current.plan.handsOver).map { service in
            ConnectionService(
                kind: service.kind,
                groups: service.generations.reversed().filter(\.plan.handsOver).map(\.group),
                nanoseconds: max(
                    Succession.leastNanoseconds,
                    service.current.plan.group.policy.drainNanoseconds
                )
            )
        }
        do throws(SystemError) {
            giver = try ConnectionGiver(services, over: channel)
        } catch {
            logger.error("connections stay here: \(error)")
        }
    }

    /// Gives no more; the rest stays here until it ends.
    mutating func endGiving(_ logger: Logger) {
        guard let giver else { return }
        giver.end()
        self.giver = nil
        let milliseconds = giver.nanoseconds / .nanosecondsPerMillisecond
        logger.info(
            "\(Succession.connections(giver.handedOver)) handed over in \(milliseconds) ms"
        )
    }

    /// Says what has come to its end.
    mutating func watch(_ logger: Logger) {
        if taker?.isDone == true { endTaking(logger) }
        if giver?.isDone == true { endGiving(logger) }
    }

    private static func connections(_ count: Int) -> String {
        count == 1 ? "1 connection" : "\(count) connections"
    }
}

extension RunningService {
    /// What it does with bytes, as another process knows it.
    fileprivate var kind: String { current.plan.kind.rawValue }
}
