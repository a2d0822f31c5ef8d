// LoadControl: what the workers of a run and the thread that keeps its time say to each other.

import Engine
import Net
import Synchronization

/// The parts of a run, in their order.
enum Phase: Int {
    /// Connections are made.
    case connecting
    /// Requests begin; nothing counts yet.
    case warmingUp
    case measuring
    /// No further request begins; responses are awaited.
    case ending
}

/// Shared by the workers and the thread that keeps the time.
final class LoadControl: Sendable {
    private let phaseNumber = Atomic<Int>(Phase.connecting.rawValue)
    /// Grows whenever the workers are to hand over what they have measured.
    let collections = Atomic<Int>(0)
    /// First connects that have succeeded or failed, and those that have failed.
    let settled = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    /// Connections that are being made, or stand.
    let connections = Atomic<Int>(0)
    /// Workers that have exchanged all messages of their share.
    let finished = Atomic<Int>(0)
    private let mailboxes: [Mailbox]
    private let delivered: Doorbell

    /// An interval on its way: the worker leaves a full one and takes an empty one.
    private final class Mailbox: Sendable {
        let interval = Mutex(Interval())
    }

    init(workerCount: Int) throws(SystemError) {
        mailboxes = (0..<workerCount).map { _ in Mailbox() }
        delivered = try Doorbell()
    }

    var phase: Phase { Phase(rawValue: phaseNumber.load(ordering: .acquiring))! }

    /// Begins a phase. The workers learn of it when they are asked to hand over.
    func begin(_ phase: Phase) { phaseNumber.store(phase.rawValue, ordering: .releasing) }

    /// Hands a worker's interval over. Called by the worker, at most once for each collection.
    func deliver(_ interval: inout Interval, from worker: Int) {
        mailboxes[worker].interval.withLock { swap(&$0, &interval) }
        delivered.ring()
    }

    /// Asks every worker for what it has measured, and waits until all have answered.
    func collect(from group: WorkerGroup) -> Interval {
        collections.add(1, ordering: .releasing)
        group.wake()
        delivered.wait(forRings: mailboxes.count)
        return gather()
    }

    /// What the workers left behind when they ended.
    func gather() -> Interval {
        var sum = Interval()
        for mailbox in mailboxes {
            mailbox.interval.withLock {
                sum.add($0)
                $0.reset()
            }
        }
        return sum
    }
}
