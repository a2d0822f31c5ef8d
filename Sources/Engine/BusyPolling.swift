// BusyPolling: whether a worker that has nothing to do looks for events for a while before it
// sleeps. To be woken takes a scheduler tens of microseconds, which is most of a round trip within
// a host; to look costs a core. So it is done only where it has lately paid.

import Net

/// Whether workers look for events before they sleep.
public enum BusyPolling: Sendable, Equatable {
    /// They sleep at once.
    case off
    /// They look for as long as lately it paid, and not where others want the CPU.
    case auto
    /// They look for so long, always.
    case fixed(nanoseconds: UInt64)
}

/// One worker's decision. Pure: all it knows of time is what it is told.
struct Spinning {
    /// How long `auto` looks: somewhat longer than a sleeping peer takes to answer.
    static let autoNanoseconds: UInt64 = 100_000
    /// After a turn that took longer than this, being woken is a small part of the time: `auto`
    /// sleeps, and more comes together meanwhile.
    static let workNanoseconds: UInt64 = 20_000
    /// Who is away for longer than this during a yield was not alone on its CPU.
    static let yieldNanoseconds: UInt64 = 10_000
    /// Looks in vain double the sleeps until the next, up to 2 to this power.
    private static let backoffMax: UInt8 = 10

    private let polling: BusyPolling
    // Sleeps that are left until it looks again, and how many that is next time, as a power of two.
    private var sleepsLeft = 0
    private var backoff: UInt8 = 0
    // Sleeps in a row that looking would have spared.
    private var shortSleeps = 0

    init(_ polling: BusyPolling) {
        self.polling = polling
        // At first it has to be shown that looking pays.
        backoff = polling == .auto ? Spinning.backoffMax : 0
        sleepsLeft = polling == .auto ? Int.max : 0
    }

    /// Whether there is ever anything to decide.
    var isOn: Bool { polling != .off }

    /// How long to look before this sleep; 0 for not at all.
    ///
    /// - Parameter worked: how long the turn before it has taken.
    mutating func limit(worked: UInt64) -> UInt64 {
        switch polling {
        case .off: return 0
        case .fixed(let nanoseconds): return nanoseconds
        case .auto:
            guard worked < Spinning.workNanoseconds else { return 0 }
            guard sleepsLeft > 0 else { return Spinning.autoNanoseconds }
            if sleepsLeft != .max { sleepsLeft -= 1 }
            return 0
        }
    }

    /// Events came while it looked.
    mutating func hit() { backoff = 0 }

    /// None came.
    mutating func missed() {
        backoff = min(backoff + 1, Spinning.backoffMax)
        sleepsLeft = 1 << Int(backoff)
        shortSleeps = 0
    }

    /// Somebody else wants the CPU: whoever it waits for may be the one.
    mutating func crowded() {
        backoff = Spinning.backoffMax
        sleepsLeft = 1 << Int(backoff)
        shortSleeps = 0
    }

    /// It has slept without looking first. Two short sleeps in a row and it looks again.
    mutating func slept(_ nanoseconds: UInt64) {
        guard nanoseconds < Spinning.autoNanoseconds else {
            shortSleeps = 0
            return
        }
        shortSleeps += 1
        if shortSleeps >= 2 { sleepsLeft = 0 }
    }
}

extension Worker where D: ~Copyable, H: ~Copyable {
    /// Waits for events, awake for a while and then asleep.
    @inline(never)
    mutating func waitAwake() {
        let start = driver.now()
        let limit = spinning.limit(worked: start - state.now)
        if limit > 0, look(until: min(start + limit, nextDeadline ?? .max), since: start) { return }
        driver.wait(until: nextDeadline, isIdle: true, &state)
        if limit == 0 { spinning.slept(driver.now() - start) }
    }

    /// Looks for events without sleeping.
    ///
    /// - Returns: whether there are some, or a deadline has come.
    private mutating func look(until end: UInt64, since start: UInt64) -> Bool {
        // The first look hands over what the turn has queued, and the last takes what has come:
        // that is work. What lies between is not.
        var idleSince: UInt64?
        var now = start
        defer { state.counters.spinNanoseconds += idleSince.map { now - $0 } ?? 0 }
        var round = 0
        while now < end {
            driver.wait(until: nil, isIdle: false, &state)
            guard !driver.hasEvents else {
                spinning.hit()
                state.counters.spinHits += 1
                return true
            }
            round += 1
            if round % 8 == 0 {
                let before = driver.now()
                Thread.yield()
                guard driver.now() - before < Spinning.yieldNanoseconds else {
                    spinning.crowded()
                    state.counters.spinMisses += 1
                    return false
                }
            }
            now = driver.now()
            idleSince = idleSince ?? now
        }
        // Whoever has something to do at a moment is not woken late for it. Where that was due
        // before the first look it says nothing about looking.
        if let nextDeadline, nextDeadline <= now {
            guard round > 0 else { return true }
            spinning.hit()
            state.counters.spinHits += 1
            return true
        }
        spinning.missed()
        state.counters.spinMisses += 1
        return false
    }
}
