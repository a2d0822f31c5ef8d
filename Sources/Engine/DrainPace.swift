// DrainPace: how many connections a second are let go at a stop, so that their clients do not all
// come back at once. Whoever is asked to stop at a pace shares it: all workers of a service, and of
// the generations before it.

import Net
import Synchronization

/// The pace at which connections are let go. Any thread may ask it at any time; moments are
/// monotonic nanoseconds.
public final class DrainPace: Sendable {
    /// Connections in a second, at least 1.
    public let perSecond: Int
    private let rate: TokenRate
    private let bucket = TokenBucket()
    /// What chance has been drawn from so far (SplitMix64: Steele, Lea and Flood, 2014).
    private let drawn: Atomic<UInt64>

    /// A pace that begins now. What a worker is late by it makes up for, up to a tenth of a second.
    ///
    /// - Parameters:
    ///   - perSecond: connections in a second, at least 1.
    ///   - seed: decides the moments within the pace.
    ///   - now: from when on; nobody is let go at once.
    public init(perSecond: Int, seed: UInt64, now: UInt64) {
        self.perSecond = max(1, perSecond)
        rate = TokenRate(perSecond: self.perSecond)
        drawn = Atomic(seed)
        // A bucket is full at first, which would be a herd to begin with.
        _ = bucket.take(max(1, self.perSecond / 10), at: rate, now: now)
    }

    /// The pace that a policy asks for from now on; nil where it asks for none.
    public convenience init?(_ policy: ConnectionPolicy) {
        guard policy.drainsPerSecond > 0 else { return nil }
        self.init(
            perSecond: policy.drainsPerSecond,
            seed: .random(in: 0...(.max)),
            now: Clock.monotonicNanoseconds()
        )
    }

    /// When one more may go. Each has a stretch of the pace's time for itself, and a moment in it
    /// that is left to chance: so those who stop together, and clients that all wait for the same
    /// time before they come back, do not fall into step. What was asked for later comes later.
    func nextMoment(now: UInt64) -> UInt64 {
        guard let end = bucket.take(1, at: rate, now: now) else { return now }
        return end - min(end, draw() % rate.nanoseconds(for: 1))
    }

    private func draw() -> UInt64 {
        var mixed = drawn.wrappingAdd(0x9e37_79b9_7f4a_7c15, ordering: .relaxed).newValue
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
