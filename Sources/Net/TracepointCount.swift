// TracepointCount: how often a thread of any process passes a place in the kernel, counted by the
// kernel (perf_event_open(2)). Nothing is recorded, so nothing has to be read in time.

import CLinux

/// The count of one thread and of those that it starts.
public struct TracepointCount: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// The number of the place that every system call passes. It takes root, or the right to read
    /// tracefs, to know it.
    public static func systemCalls() throws(SystemError) -> Int32 {
        try SystemError.check("open tracefs", clinux_system_call_tracepoint())
    }

    /// Begins to count. It takes CAP_PERFMON, or `kernel.perf_event_paranoid` at most 1.
    ///
    /// - Parameters:
    ///   - thread: the kernel's number of a thread (gettid(2)).
    ///   - tracepoint: the number of a place.
    public init(thread: Int32, tracepoint: Int32) throws(SystemError) {
        let number = try SystemError.check(
            "perf_event_open",
            clinux_count_tracepoint(thread, tracepoint)
        )
        descriptor = Descriptor(rawValue: number)
    }

    deinit { descriptor.close() }

    /// How often since the beginning, also after the thread's end.
    public func value() throws(SystemError) -> UInt64 {
        var count: UInt64 = 0
        try SystemError.check("read", clinux_read_count(descriptor.rawValue, &count))
        return count
    }
}
