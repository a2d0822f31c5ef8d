// Simulation: the production worker and driver on a model host, turn by turn. First trouble is made
// and nothing may go wrong; then there is no more trouble, and everything has to come to its end.

@_spi(Simulation) package import Engine
import Net
import Services

/// What came of a run.
package struct Outcome: Equatable, Sendable {
    /// What went wrong first; nil where nothing did.
    package let failure: String?
    /// A digest of everything that happened: the same for every run of a plan.
    package let trace: UInt64
    /// What the worker counted.
    package let counters: Counters
    /// How the clients fared.
    package let clients: [Fate]

    init(_ host: ModelHost, _ counters: Counters) {
        failure = host.failure
        trace = host.trace
        self.counters = counters
        clients = host.clients.map { Fate($0) }
    }
}

/// How a client fared.
package struct Fate: Equatable, Sendable {
    /// Bytes that came back to it, and those that had arrived when the service was to stop.
    package let read: Int
    package let arrivedAtStop: Int
    /// When bytes last moved on its connection at the host, and when the host sent FIN.
    package let movedAt: UInt64
    package let finAt: UInt64?
    /// Whether the last that it saw was FIN.
    package let sawFin: Bool

    init(_ client: ModelClient) {
        read = client.read
        arrivedAtStop = client.arrivedAtStop ?? 0
        movedAt = client.movedAt
        finAt = client.finAt
        sawFin = client.end == .finished
    }
}

/// Runs of plans.
package enum Simulation {
    /// Runs a plan to its end, or to the first thing that goes wrong.
    package static func run(_ plan: Plan) throws -> Outcome {
        let control = try StepControl()
        let host = ModelHost(plan: plan, control: control)
        let steps = StepPlan(
            limits: plan.limits,
            policy: plan.policy,
            listeners: [Descriptor(rawValue: ModelHost.firstDescriptor)],
            usesMultishot: plan.usesMultishot,
            registersFiles: plan.registersFiles,
            control: control
        )
        switch plan.backend {
        case .uring:
            let ring = SimulatedRing(host)
            let worker = try SteppedWorker(ring: ring, handler: EchoService(), steps)
            return SimulatedRun(host, worker).outcome()
        case .epoll:
            let calls = SimulatedCalls(host)
            let worker = try SteppedWorker(calls: calls, handler: EchoService(), steps)
            return SimulatedRun(host, worker).outcome()
        }
    }
}

/// A run of a plan on one backend.
private struct SimulatedRun<D: Driver & ~Copyable>: ~Copyable {
    /// More turns than any healthy run takes.
    private static var turnsMax: Int { 300_000 }
    /// Enters in a row that brought nothing: more is a spin.
    private static var vainEntersMax: Int { 100 }

    private let host: ModelHost
    private var worker: SteppedWorker<D, EchoService>
    private var books: Books
    private var rate = EnterRate()

    init(_ host: ModelHost, _ worker: consuming SteppedWorker<D, EchoService>) {
        self.host = host
        self.worker = worker
        books = Books(host.plan)
    }

    consuming func outcome() -> Outcome {
        host.poll.hasStarted = true
        worker.start()
        var turns = 0
        while turns < SimulatedRun.turnsMax, goesOn {
            turn()
            turns += 1
        }
        return close()
    }

    private var goesOn: Bool { host.failure == nil && !worker.isDone }

    private mutating func turn() {
        worker.turn()
        books.check(worker, host)
        host.attendDesk()
        if let complaint = rate.complaint(host) { host.fail(complaint) }
        if host.vainEnters > SimulatedRun.vainEntersMax {
            host.fail("\(host.vainEnters) enters in a row brought nothing")
        }
        if host.isSettling {
            settle()
        } else if host.timeline.now > host.phaseEndsAt || haveAllEnded || host.deadlocks > 0 {
            host.settle()
            host.deadlocks = 0
        }
    }

    private var haveAllEnded: Bool { host.clients.allSatisfy { $0.end != nil } }

    /// Waits for the end of all clients, then for that of the service.
    private mutating func settle() {
        if host.timeline.now > host.phaseEndsAt {
            return complain("no end though nobody makes trouble")
        }
        let isStuck = host.deadlocks > 20
        if !haveAllEnded {
            if isStuck { complain("nothing more will happen") }
        } else if worker.connectionCount == 0, !host.isStopRequested {
            books.checkQuiet(worker, host)
            host.deadlocks = 0
            host.requestStop()
        } else if isStuck {
            complain("the worker waits for nothing")
        }
    }

    private func complain(_ what: String) {
        let waiting = host.clients.filter { $0.end == nil }.map { client in
            ", client \(client.number) waits with \(client.read) of \(client.sent) bytes back"
        }
        host.fail(what + ": \(worker.connectionCount) connections" + waiting.joined())
    }

    private consuming func close() -> Outcome {
        let host = host
        let seen = worker.counters
        if !worker.isDone { complain("no end after \(seen.turns) turns") }
        guard host.failure == nil else {
            return Outcome(host, seen)
        }
        // The last closes are handed over, and what is on its way to the clients arrives.
        host.settle()
        let counters = worker.end()
        host.letClientsEnd()
        for client in host.clients { host.judge(client) }
        Books.checkEnd(counters, host)
        return Outcome(host, counters)
    }
}
