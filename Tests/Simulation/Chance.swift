// Chance: the one source of everything that is left to chance in a simulation. The same seed gives
// the same run, on every machine and in every build.

/// A generator of numbers (SplitMix64: Steele, Lea and Flood, 2014).
struct Chance {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Chance.mix(state)
    }

    /// A number that looks unlike its neighbours'.
    static func mix(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and without `limit`, which is at least 1.
    mutating func below(_ limit: Int) -> Int { Int(next() >> 1) % limit }

    /// A number of a closed range.
    mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// A time of a closed range, in nanoseconds.
    mutating func time(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + next() % (range.upperBound - range.lowerBound + 1)
    }

    /// A size up to `limit`: small ones are as likely as large ones.
    mutating func size(upTo limit: Int) -> Int {
        let bits = Int.bitWidth - limit.leadingZeroBitCount
        return min(limit, 1 + below(1 << within(0...bits)))
    }

    /// True so many times in a thousand.
    mutating func happens(_ perMille: Int) -> Bool { perMille > 0 && below(1000) < perMille }

    /// One of several.
    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}
