// AdminExecutor: where the asking for readings runs: on the admin's own thread, between two waits
// for its sockets. Swift's own executors would start threads for it that compete with the workers,
// and nobody could say how many.

import Net
import Synchronization

/// Runs tasks on whichever thread calls `run`.
final class AdminExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let doorbell: Doorbell

    /// - Parameter doorbell: is rung when there is something to run.
    init(doorbell: Doorbell) { self.doorbell = doorbell }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        doorbell.ring()
    }

    /// Runs what there is to run now.
    func run() {
        let ready = jobs.withLock { jobs in
            defer { jobs = [] }
            return jobs
        }
        for job in ready { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
