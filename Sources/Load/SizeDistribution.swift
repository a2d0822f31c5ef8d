// SizeDistribution: how large requests are, as it is written on the command line and as the numbers
// it stands for.

/// Sizes of requests in bytes.
public enum SizeDistribution: Equatable, Sendable {
    case fixed(Int)
    /// Every size of the range is as likely as any other: `1-64k`.
    case even(ClosedRange<Int>)
    /// Every doubling within the range is as likely as any other: `log:1-64k`.
    case logarithmic(ClosedRange<Int>)
    /// Each size so often as its weight is of all weights: `64:9,16k:1`.
    case weighted([Choice])

    /// A size with its weight.
    public struct Choice: Equatable, Sendable {
        public var bytes: Int
        public var weight: Int

        /// A size that is chosen so often.
        public init(bytes: Int, weight: Int) {
            self.bytes = bytes
            self.weight = weight
        }
    }

    /// As it is written on the command line.
    public var text: String {
        switch self {
        case .fixed(let bytes): "\(bytes)"
        case .even(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .logarithmic(let range): "log:\(range.lowerBound)-\(range.upperBound)"
        case .weighted(let choices):
            choices.map { "\($0.bytes):\($0.weight)" }.joined(separator: ",")
        }
    }

    /// The largest size.
    public var largest: Int {
        switch self {
        case .fixed(let bytes): bytes
        case .even(let range), .logarithmic(let range): range.upperBound
        case .weighted(let choices): choices.map(\.bytes).max() ?? 0
        }
    }

    /// The next size.
    @inline(__always)
    func next(_ random: inout SplitMix64) -> Int {
        if case .fixed(let bytes) = self { return bytes }
        return choose(&random)
    }

    @inline(never)
    private func choose(_ random: inout SplitMix64) -> Int {
        switch self {
        case .fixed(let bytes): return bytes
        case .even(let range): return Int.random(in: range, using: &random)
        case .logarithmic(let range):
            // Evenly among the powers of two that the range touches, then evenly within.
            let low = range.lowerBound.bitWidth - range.lowerBound.leadingZeroBitCount - 1
            let high = range.upperBound.bitWidth - range.upperBound.leadingZeroBitCount - 1
            let bits = Int.random(in: low...high, using: &random)
            let first = max(range.lowerBound, 1 << bits)
            return Int.random(in: first...min(range.upperBound, (2 << bits) - 1), using: &random)
        case .weighted(let choices):
            var place = Int.random(in: 0..<choices.reduce(0) { $0 + $1.weight }, using: &random)
            for choice in choices {
                place -= choice.weight
                if place < 0 { return choice.bytes }
            }
            preconditionFailure("a place beyond all weights")
        }
    }
}

/// The generator SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same for the same seed.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
