// Upstream: one place where a relay's connections go, as all workers see it together: how many
// connections it has, and whether it can be reached. All of it is atomic, and nothing here is
// touched for a message.

public import Net
import Synchronization

/// When an upstream that fails is left out, and for how long.
public struct EjectionPolicy: Sendable {
    /// Failed connects in a row that have it left out; 0 never does.
    public var failuresMax = 3
    /// How long it is left out at first; doubled with each time in a row.
    public var firstNanoseconds: UInt64 = 10 * .nanosecondsPerSecond
    /// How long at most.
    public var longestNanoseconds: UInt64 = 300 * .nanosecondsPerSecond

    /// Three failures, ten seconds, five minutes.
    public init() {}
}

/// What became of an upstream's connections.
public struct UpstreamStatistics: Equatable, Sendable {
    /// Times it was chosen, connects that succeeded, and those that failed.
    public var chosen: UInt64 = 0
    public var connected: UInt64 = 0
    public var failed: UInt64 = 0
    /// Times it was left out for its failures.
    public var ejections: UInt64 = 0
    /// Checks, those that failed, and times that it was found down.
    public var checks: UInt64 = 0
    public var checksFailed: UInt64 = 0
    public var timesDown: UInt64 = 0

    /// Every count with its name.
    public var fields: [(name: String, value: UInt64)] {
        [
            ("chosen", chosen), ("connected", connected), ("failed", failed),
            ("ejections", ejections), ("checks", checks), ("checks_failed", checksFailed),
            ("times_down", timesDown),
        ]
    }
}

/// One upstream.
public final class Upstream: Sendable {
    /// What the user said of it.
    public let options: UpstreamOptions
    private let addressList: Mutex<[SocketAddress]>
    private let isDown = Atomic<Bool>(false)
    private let checkCount = Atomic<UInt64>(0)
    private let checkFailureCount = Atomic<UInt64>(0)
    private let downCount = Atomic<UInt64>(0)
    private let ejection: EjectionPolicy
    private let connections = Atomic<Int>(0)
    // Failures in a row, and times in a row that it was left out.
    private let failures = Atomic<Int>(0)
    private let ejectionsInRow = Atomic<Int>(0)
    /// It is left out until this moment; 0 where it is not.
    private let ejectedUntil = Atomic<UInt64>(0)
    private let chosenCount = Atomic<UInt64>(0)
    private let connectedCount = Atomic<UInt64>(0)
    private let failedCount = Atomic<UInt64>(0)
    private let ejectionCount = Atomic<UInt64>(0)

    init(_ options: UpstreamOptions, addresses: [SocketAddress], ejection: EjectionPolicy) {
        self.options = options
        self.ejection = ejection
        addressList = Mutex(Array(addresses.prefix(Upstream.addressesMax)))
    }

    // ---- where it is ----

    /// The most addresses that are tried.
    public static let addressesMax = 8

    /// Where it is reached, in the order to try. There is always one.
    public var addresses: [SocketAddress] { addressList.withLock { $0 } }

    /// Sets where it is reached. Nothing changes where nothing is known.
    ///
    /// - Returns: whether that is something new.
    func setAddresses(_ addresses: [SocketAddress]) -> Bool {
        let list = Array(addresses.prefix(Upstream.addressesMax))
        guard !list.isEmpty else { return false }
        return addressList.withLock {
            let isNew = $0 != list
            $0 = list
            return isNew
        }
    }

    /// Connections that are open or being made, of all workers together.
    public var connectionCount: Int { connections.load(ordering: .relaxed) }

    /// What became of its connections.
    public var statistics: UpstreamStatistics {
        UpstreamStatistics(
            chosen: chosenCount.load(ordering: .relaxed),
            connected: connectedCount.load(ordering: .relaxed),
            failed: failedCount.load(ordering: .relaxed),
            ejections: ejectionCount.load(ordering: .relaxed),
            checks: checkCount.load(ordering: .relaxed),
            checksFailed: checkFailureCount.load(ordering: .relaxed),
            timesDown: downCount.load(ordering: .relaxed)
        )
    }

    // ---- connections ----

    /// Counts one more connection, unless it has as many as it may have.
    func reserve() -> Bool {
        let count = connections.add(1, ordering: .relaxed).newValue
        guard options.connectionsMax == 0 || count <= options.connectionsMax else {
            connections.subtract(1, ordering: .relaxed)
            return false
        }
        chosenCount.add(1, ordering: .relaxed)
        return true
    }

    /// It was counted and then not chosen.
    func unreserve() {
        connections.subtract(1, ordering: .relaxed)
        chosenCount.subtract(1, ordering: .relaxed)
    }

    /// A connection that was counted has ended, or was not made.
    public func release() { connections.subtract(1, ordering: .relaxed) }

    /// A connect has succeeded.
    public func connected(now: UInt64) {
        connectedCount.add(1, ordering: .relaxed)
        guard failures.load(ordering: .relaxed) > 0 else { return }
        forgetFailures()
    }

    private func forgetFailures() {
        failures.store(0, ordering: .relaxed)
        ejectionsInRow.store(0, ordering: .relaxed)
        ejectedUntil.store(0, ordering: .relaxed)
    }

    /// A connect has failed: after so many in a row it is left out for a while, and for twice as
    /// long each time that goes on.
    public func connectFailed(now: UInt64) {
        failedCount.add(1, ordering: .relaxed)
        let count = failures.add(1, ordering: .relaxed).newValue
        guard ejection.failuresMax > 0, count >= ejection.failuresMax else { return }
        let until = ejectedUntil.load(ordering: .relaxed)
        // Others that were under way when it was left out say nothing new.
        guard until <= now else { return }
        let times = min(ejectionsInRow.add(1, ordering: .relaxed).oldValue, 32)
        let length = ejection.firstNanoseconds.multipliedReportingOverflow(by: 1 << UInt64(times))
        let interval =
            length.overflow
            ? ejection.longestNanoseconds
            : min(length.partialValue, ejection.longestNanoseconds)
        ejectedUntil.store(now &+ interval, ordering: .relaxed)
        ejectionCount.add(1, ordering: .relaxed)
    }

    // ---- whether it is to be used ----

    /// Whether checks find it serving, or there are none.
    public var isUp: Bool { !isDown.load(ordering: .relaxed) }

    func noteCheck(succeeded: Bool) {
        checkCount.add(1, ordering: .relaxed)
        if !succeeded { checkFailureCount.add(1, ordering: .relaxed) }
    }

    /// Checks have found it to be down, or up again: then its failed connects are forgotten too.
    func setUp(_ isUp: Bool) {
        isDown.store(!isUp, ordering: .relaxed)
        if !isUp { downCount.add(1, ordering: .relaxed) }
        if isUp { forgetFailures() }
    }

    /// Whether it is left out for its failures. When its time is over one connect tries it: until
    /// that has come to an end the others go elsewhere.
    func isEjected(now: UInt64) -> Bool {
        let until = ejectedUntil.load(ordering: .relaxed)
        guard until > 0 else { return false }
        guard until <= now else { return true }
        // Whoever moves the moment on is the one who tries.
        let trial = now &+ ejection.firstNanoseconds
        let (won, _) = ejectedUntil.compareExchange(
            expected: until,
            desired: trial,
            ordering: .relaxed
        )
        return !won
    }
}
