// When a worker looks for events before it sleeps, in made-up time: that it does where it pays, and
// that where it does not it costs next to nothing.

import Testing

@testable import Engine

struct SpinningTests {
    /// Plays sleeps of given lengths. Where the worker looks first, an event within its limit is
    /// found, and anything later is missed.
    private func play(
        _ spinning: inout Spinning,
        _ waits: [UInt64]
    ) -> (hits: Int, misses: Int, lookedNanoseconds: UInt64) {
        var (hits, misses, looked) = (0, 0, UInt64(0))
        for wait in waits {
            let limit = spinning.limit(worked: 5000)
            if limit == 0 {
                spinning.slept(wait)
            } else if wait < limit {
                hits += 1
                looked += wait
                spinning.hit()
            } else {
                misses += 1
                looked += limit
                spinning.missed()
            }
        }
        return (hits, misses, looked)
    }

    @Test func offNeverLooks() {
        var spinning = Spinning(.off)
        #expect(!spinning.isOn)
        #expect(play(&spinning, Array(repeating: 10, count: 100)).hits == 0)
    }

    @Test func aFixedTimeIsAlwaysTaken() {
        var spinning = Spinning(.fixed(nanoseconds: 50_000))
        let played = play(&spinning, Array(repeating: 10_000_000, count: 100))
        #expect(played.misses == 100)
    }

    /// A peer that answers soon is found out after two sleeps.
    @Test func shortWaitsAreLookedFor() {
        var spinning = Spinning(.auto)
        let played = play(&spinning, Array(repeating: 60_000, count: 1000))
        #expect(played.hits == 998 && played.misses == 0)
    }

    /// 100 messages a second for a minute: less than 2 % of a core, whatever came before.
    @Test func longWaitsCostNextToNothing() {
        var spinning = Spinning(.auto)
        _ = play(&spinning, Array(repeating: 20_000, count: 1000))
        let played = play(&spinning, Array(repeating: 10_000_000, count: 6000))
        #expect(played.lookedNanoseconds < 60_000_000_000 / 50)
        #expect(played.misses < 20, "\(played.misses)")
    }

    /// It comes back when waits are short again.
    @Test func itComesBack() {
        var spinning = Spinning(.auto)
        _ = play(&spinning, Array(repeating: 10_000_000, count: 5000))
        let played = play(&spinning, Array(repeating: 30_000, count: 1000))
        #expect(played.hits > 990)
    }

    /// A pair of messages each 10 ms: the wait within the pair is short, the next is long.
    @Test func singleShortWaitsAreNoReason() {
        var spinning = Spinning(.auto)
        let waits = (0..<2000).map { $0 % 2 == 0 ? UInt64(20_000) : 10_000_000 }
        #expect(play(&spinning, waits).lookedNanoseconds == 0)
    }

    @Test func whereOthersWantTheProcessorItSleeps() {
        var spinning = Spinning(.auto)
        _ = play(&spinning, Array(repeating: 20_000, count: 10))
        spinning.crowded()
        #expect(spinning.limit(worked: 5000) == 0)
    }

    /// Where turns are long, waiting is a small part of the time, and asleep more comes together.
    @Test func afterLongTurnsItSleeps() {
        var spinning = Spinning(.auto)
        _ = play(&spinning, Array(repeating: 20_000, count: 10))
        #expect(spinning.limit(worked: 30_000) == 0)
        #expect(spinning.limit(worked: 5000) > 0)
    }
}
