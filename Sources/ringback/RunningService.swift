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

    init(_ group: WorkerGroup, log: AccessLog?, logger: Logger) {
        self.group = group
        self.log = log
        self.logger = logger
    }

    /// Serves until a signal, then drains until every worker has ended.
    ///
    /// - Returns: the second signal, where one came before the drain was over.
    func runUntilEnded() -> Int32? {
        while StopSignal.wait(nanoseconds: log == nil ? nil : RunningService.interval) == nil {
            writeRecords()
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

    private func writeRecords() {
        guard let log else { return }
        group.takeRecords { log.write($0) }
        log.flush()
    }
}
