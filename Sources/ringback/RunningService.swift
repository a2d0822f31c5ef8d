// RunningService: the main thread while workers serve. It waits for signals, and writes the access
// log.

import Engine
import Logging
import Net

/// A group of workers with the thread that watches over it.
struct RunningService {
    private let group: WorkerGroup
    private let log: AccessLog?
    private let logger: Logger

    /// How often the access log is written, and how soon the end of a drain is noticed.
    private static let interval: UInt64 = 50 * .nanosecondsPerMillisecond
    /// How often the main thread looks whether accepting pauses.
    private static let watchInterval: UInt64 = 250 * .nanosecondsPerMillisecond

    init(_ group: WorkerGroup, log: AccessLog?, logger: Logger) {
        self.group = group
        self.log = log
        self.logger = logger
    }

    /// Serves until a signal, then drains until every worker has ended.
    ///
    /// - Returns: the second signal, where one came before the drain was over.
    func runUntilEnded() -> Int32? {
        let interval = log == nil ? RunningService.watchInterval : RunningService.interval
        var pause: Errno?
        while StopSignal.wait(nanoseconds: interval) == nil {
            writeRecords()
            pause = reportPause(since: pause)
        }
        group.requestStop()
        logger.info("draining; a second signal ends it now")
        var second: Int32?
        while !group.hasEnded {
            if let signal = StopSignal.wait(nanoseconds: RunningService.interval), second == nil {
                second = signal
                group.requestCut()
            }
            writeRecords()
        }
        writeRecords()
        return second
    }

    /// Says once that accepting pauses, and once that it goes on.
    private func reportPause(since before: Errno?) -> Errno? {
        let pause = group.acceptPause
        if let pause, before == nil {
            logger.warning("accepting pauses: \(pause); clients wait; see ulimit -n and -Hn")
        } else if pause == nil, before != nil {
            logger.info("accepting goes on")
        }
        return pause
    }

    private func writeRecords() {
        guard let log else { return }
        group.takeRecords { log.write($0) }
        log.flush()
    }
}
