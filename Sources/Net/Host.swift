// What a process asks of its host: which CPUs it may use, threads pinned to them, descriptor
// limits, and the signals that stop it.

import CLinux
import Glibc

/// The running process.
public enum Host {
    /// Its number (getpid(2)).
    public static var processID: Int32 { getpid() }
}

/// The CPUs a process may run on.
public enum CPUSet {
    /// Their numbers, ascending (sched_getaffinity(2)).
    public static func allowed() -> [Int32] {
        var cpus = [Int32](repeating: 0, count: 1024)
        let found = clinux_allowed_cpus(&cpus, Int32(cpus.count))
        return Array(cpus.prefix(max(0, min(Int(found), cpus.count))))
    }
}

/// Operating system threads. The engine runs on these alone: an io_uring instance belongs to the
/// thread that made it, and Swift's executors move work between threads.
public final class Thread: Sendable {
    private let handle: UInt

    private final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Lets other threads run on this CPU first, where any want to.
    public static func yield() { clinux_yield() }

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: shown by ps and top, at most 15 bytes.
    ///   - cpu: the CPU to pin it to, or nil to let the scheduler choose.
    public init(
        name: String,
        cpu: Int32? = nil,
        _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let start = Start {
            clinux_name_thread(name)
            if let cpu { _ = clinux_pin_thread(cpu) }
            body()
        }
        let context = Unmanaged.passRetained(start)
        var handle = pthread_t()
        let result = pthread_create(
            &handle,
            nil,
            { context in
                Unmanaged<Start>.fromOpaque(context!).takeRetainedValue().body()
                return nil
            },
            context.toOpaque()
        )
        guard result == 0 else {
            context.release()
            throw SystemError("pthread_create", Errno(rawValue: result))
        }
        self.handle = UInt(handle)
    }

    /// Waits for its end. Called once.
    public func join() {
        pthread_join(pthread_t(handle), nil)
    }

    /// Lets the calling thread's waits end when they should, instead of up to 50 us later
    /// (PR_SET_TIMERSLACK, prctl(2)).
    public static func makeTimersExact() { clinux_exact_timers() }

    /// Lets other threads go before the calling one where both want a CPU (setpriority(2); on Linux
    /// each thread has a nice value of its own).
    ///
    /// - Parameter niceness: from 0, as usual, to 19, the last in the line.
    public static func stepBack(niceness: Int32) {
        setpriority(Int32(PRIO_PROCESS.rawValue), 0, niceness)
    }

    /// The kernel's number of the calling thread (gettid(2)).
    public static var currentID: Int32 { clinux_thread_id() }
}

/// Settings of the running kernel under /proc/sys.
public enum KernelSetting {
    /// The first character of a setting such as `kernel/io_uring_disabled`, or nil where it is
    /// missing.
    public static func firstCharacter(of name: String) -> Character? {
        let byte = clinux_first_byte("/proc/sys/" + name)
        return byte > 0 ? Character(UnicodeScalar(UInt8(byte))) : nil
    }
}

/// The limit on open descriptors (RLIMIT_NOFILE, getrlimit(2)).
public enum DescriptorLimit {
    /// The soft limit, and the hard one up to which it may be raised.
    public static func current() -> (soft: UInt64, hard: UInt64) {
        var soft: UInt64 = 0
        var hard: UInt64 = 0
        _ = clinux_descriptor_limits(&soft, &hard)
        return (soft, hard)
    }

    /// Raises the soft limit to `count` where the hard limit allows it.
    public static func raise(to count: UInt64) throws(SystemError) {
        guard current().soft < count else { return }
        try SystemError.check("setrlimit", clinux_set_descriptor_limit(count))
    }
}

/// The limit on memory that may not be swapped, which rings count against (RLIMIT_MEMLOCK,
/// getrlimit(2)).
public enum LockedMemoryLimit {
    /// Bytes; nil for any number, as for root.
    public static func current() -> Int? {
        let bytes = clinux_locked_memory_limit()
        return bytes < 0 ? nil : Int(bytes)
    }
}

/// Signals that wait for a thread instead of ending the process.
public struct HeldSignals: Sendable {
    /// Those that stop a process: SIGINT and SIGTERM.
    public static let stopping = HeldSignals([SIGINT, SIGTERM])
    /// Those, and what is said to a service: SIGHUP reloads, SIGUSR1 has it report, SIGUSR2 has a
    /// successor take over.
    public static let ofService = HeldSignals([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])

    // A bit for each number.
    private let numbers: UInt64

    private init(_ numbers: [Int32]) { self.numbers = numbers.reduce(0) { $0 | 1 << UInt64($1) } }

    /// Keeps the signals for `wait`, and ignores SIGPIPE. Call it before any thread starts.
    public func block() { _ = clinux_block_signals(numbers) }

    /// Waits for one of them.
    ///
    /// - Parameter nanoseconds: how long at most; nil waits without limit.
    /// - Returns: the signal's number, or nil when the time has passed.
    public func wait(nanoseconds: UInt64? = nil) -> Int32? {
        let number = clinux_wait_signal(numbers, nanoseconds.map { Int64($0) } ?? -1)
        return number > 0 ? number : nil
    }
}

/// A doorbell: any thread rings it, and the worker that watches its descriptor wakes (eventfd(2)).
public final class Doorbell: Sendable {
    /// Readable after a ring.
    public let descriptor: Descriptor

    public init() throws(SystemError) {
        let number = try SystemError.check("eventfd", clinux_event_descriptor())
        descriptor = Descriptor(rawValue: number)
    }

    deinit { descriptor.close() }

    /// Wakes the watcher.
    public func ring() { _ = clinux_event_signal(descriptor.rawValue) }

    /// Takes note of all rings so far.
    public func silence() { _ = clinux_event_drain(descriptor.rawValue) }

    /// Blocks until it has been rung since it was last silent, or so many nanoseconds have passed.
    public func wait(forAtMost nanoseconds: UInt64) {
        let milliseconds = max(1, nanoseconds / .nanosecondsPerMillisecond)
        _ = clinux_await_either(descriptor.rawValue, -1, Int32(clamping: milliseconds))
    }

    /// Blocks until it has been rung `count` times since it was last silent.
    public func wait(forRings count: Int) {
        var rings = 0
        while rings < count { rings += max(0, Int(clinux_event_wait(descriptor.rawValue))) }
    }
}
