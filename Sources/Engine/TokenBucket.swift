// TokenBucket: so many in a second, and so many at once. Connections and bytes are limited by it.
//
// The whole state is the moment at which the bucket will be full (the virtual scheduling of GCRA,
// ITU-T I.371): what is taken moves it on by the time that takes to come in again. So a bucket is
// one atomic word, workers share it without a lock, and nothing has to be filled up by a timer.

import Net
import Synchronization

/// How fast a bucket fills, and how much it holds.
public struct TokenRate: Equatable, Sendable {
    /// Tokens that come in during a second; at least 1.
    public let perSecond: Int
    /// How long an empty bucket takes to be full.
    let burstNanoseconds: UInt64

    /// - Parameters:
    ///   - perSecond: how many come in during a second, at least 1.
    ///   - burst: how many the bucket holds, at least 1.
    public init(perSecond: Int, burst: Int) {
        self.perSecond = max(1, perSecond)
        burstNanoseconds = TokenRate.nanoseconds(for: max(1, burst), perSecond: self.perSecond)
    }

    /// A bucket that holds what comes in during a tenth of a second.
    public init(perSecond: Int) { self.init(perSecond: perSecond, burst: perSecond / 10) }

    /// The time in which so many come in. It is rounded up, so that a bucket never gives too much.
    func nanoseconds(for count: Int) -> UInt64 {
        TokenRate.nanoseconds(for: count, perSecond: perSecond)
    }

    private static func nanoseconds(for count: Int, perSecond: Int) -> UInt64 {
        let (product, overflow) = UInt64(count)
            .multipliedReportingOverflow(by: .nanosecondsPerSecond)
        guard !overflow else { return .max }
        let (quotient, rest) = product.quotientAndRemainder(dividingBy: UInt64(perSecond))
        return rest == 0 ? quotient : quotient + 1
    }
}

/// A bucket of tokens, full at first. Any thread may take from it at any time; moments are
/// monotonic nanoseconds.
public struct TokenBucket: ~Copyable, Sendable {
    private let fullAt = Atomic<UInt64>(0)

    /// A full bucket.
    public init() {}

    /// Takes tokens, though there may be fewer: the bucket is then in debt.
    ///
    /// - Returns: when what was taken up to now is paid for; nil where it is already. Those who
    ///   wait for their moments are served in the order in which they took.
    public func take(_ count: Int, at rate: TokenRate, now: UInt64) -> UInt64? {
        let cost = rate.nanoseconds(for: count)
        var known = fullAt.load(ordering: .relaxed)
        while true {
            let moved = max(known, now).addingUpToLimit(cost)
            let (exchanged, original) = fullAt.weakCompareExchange(
                expected: known,
                desired: moved,
                ordering: .relaxed
            )
            known = original
            guard exchanged else { continue }
            let paidAt = moved - min(moved, rate.burstNanoseconds)
            return paidAt > now ? paidAt : nil
        }
    }

    /// Takes one token if there is one.
    ///
    /// - Returns: whether there was one.
    public func takeIfThere(at rate: TokenRate, now: UInt64) -> Bool {
        let cost = rate.nanoseconds(for: 1)
        var known = fullAt.load(ordering: .relaxed)
        while true {
            let moved = max(known, now).addingUpToLimit(cost)
            guard moved <= now.addingUpToLimit(rate.burstNanoseconds) else { return false }
            let (exchanged, original) = fullAt.weakCompareExchange(
                expected: known,
                desired: moved,
                ordering: .relaxed
            )
            if exchanged { return true }
            known = original
        }
    }

    /// Whether nothing is missing: as if it had never been used.
    func isFull(now: UInt64) -> Bool { fullAt.load(ordering: .relaxed) <= now }
}

extension UInt64 {
    fileprivate func addingUpToLimit(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
