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

    /// How a service ended that was not simply asked to.
    enum Mishap {
        /// A second signal came before the drain was over.
        case cut(signal: Int32)
        /// A listener was lost; the rest was drained.
        case lostListener(Errno)
    }

    /// Serves until a signal, or until a listener is lost; then drains until every worker has
    /// ended.
    func runUntilEnded() -> Mishap? {
        let interval = log == nil ? RunningService.watchInterval : RunningService.interval
        var pause: Errno?
        while StopSignal.wait(nanoseconds: interval) == nil, group.lostListener == nil {
            writeRecords()
            pause = reportPause(since: pause)
        }
        let loss = group.lostListener
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
        return second.map { .cut(signal: $0) } ?? loss.map { .lostListener($0) }
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
