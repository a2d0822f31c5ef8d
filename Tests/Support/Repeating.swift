// Repeating and Tally: small helpers for tests with several threads.

public import Net
import Synchronization

/// Something that a thread does again and again until it is stopped.
public final class Repeating: Sendable {
    private let isStopped: Flag
    private let thread: Thread

    private final class Flag: Sendable { let value = Atomic<Bool>(false) }

    /// Starts the thread.
    public init(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let flag = Flag()
        isStopped = flag
        thread = try Thread(name: "repeating") {
            while !flag.value.load(ordering: .relaxed) { body() }
        }
    }

    /// Stops it and waits for its end.
    public func stop() {
        isStopped.value.store(true, ordering: .relaxed)
        thread.join()
    }
}

/// A count that several threads add to.
public final class Tally: Sendable {
    private let sum = Atomic<Int>(0)

    /// Zero.
    public init() {}

    /// Adds one.
    public func count() { sum.add(1, ordering: .relaxed) }

    /// The count so far.
    public var total: Int { sum.load(ordering: .relaxed) }
}
