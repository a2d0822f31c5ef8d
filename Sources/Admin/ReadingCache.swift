// ReadingCache: readings of the process, taken at most every 100 ms and one at a time. However many
// ask, the services are asked ten times a second.

import Net
import Synchronization

/// The last reading, and the one that is being taken.
struct ReadingCache {
    /// How long a reading is good for.
    static let goodForNanoseconds: UInt64 = 100 * .nanosecondsPerMillisecond

    /// A reading on its way from the task to the admin's thread.
    private final class Mailbox: Sendable { let reading = Mutex<ProcessReading?>(nil) }

    private let source: @Sendable () async -> ProcessReading
    private let executor: AdminExecutor
    private let doorbell: Doorbell
    private let mailbox = Mailbox()
    private var last: (reading: ProcessReading, takenAt: UInt64)?
    private var task: Task<Void, Never>?

    init(
        executor: AdminExecutor,
        doorbell: Doorbell,
        source: @escaping @Sendable () async -> ProcessReading
    ) {
        self.executor = executor
        self.doorbell = doorbell
        self.source = source
    }

    /// The last reading, if it is good; otherwise one is asked for, and the doorbell rings when it
    /// is there.
    mutating func reading(at now: UInt64) -> ProcessReading? {
        if let last, now - last.takenAt < ReadingCache.goodForNanoseconds { return last.reading }
        if task == nil {
            task = Task(executorPreference: executor) { [source, mailbox, doorbell] in
                let reading = await source()
                mailbox.reading.withLock { $0 = reading }
                doorbell.ring()
            }
        }
        return nil
    }

    /// The reading that was asked for, once it is there.
    mutating func takeArrived(at now: UInt64) -> ProcessReading? {
        let arrived = mailbox.reading.withLock { reading in
            defer { reading = nil }
            return reading
        }
        guard let arrived else { return nil }
        last = (arrived, now)
        task = nil
        return arrived
    }

    /// Whether a reading is being taken.
    var isAsking: Bool { task != nil }

    /// Tells the one that is being taken that nobody waits for it any more.
    func cancel() { task?.cancel() }
}
