// Chooser: how a worker finds an upstream for a client. Ordinary ones come first, then backups.
// Where all that could be used are left out for their failures, these are tried all the same: a
// client that is refused for certain has nothing of it. One that a check has found down is not:
// that is what the check is for.

import Net

/// The choices of one worker.
struct Chooser: ~Copyable {
    private let set: UpstreamSet
    private var random: SplitMix64
    // What smooth weighted round robin has each upstream stand at.
    private var credits: [Int]
    private var firstLooked = 0

    init(_ set: UpstreamSet, seed: UInt64) {
        self.set = set
        random = SplitMix64(seed: seed)
        credits = Array(repeating: 0, count: set.upstreams.count)
    }

    /// Finds an upstream, and counts a connection on it: `Upstream.release` undoes that.
    ///
    /// - Parameter tried: a bit for each upstream that is not to be chosen.
    mutating func choose(source: SocketAddress, now: UInt64, tried: UInt64) -> Int? {
        for members in [set.ordinary, set.backups] {
            if let found = choose(members, source, now, tried) { return found }
        }
        for members in [set.ordinary, set.backups] {
            if let found = choose(members, source, nil, tried) { return found }
        }
        return nil
    }

    /// - Parameter now: nil where it does not matter which are left out for their failures.
    private mutating func choose(
        _ members: [Int],
        _ source: SocketAddress,
        _ now: UInt64?,
        _ tried: UInt64
    ) -> Int? {
        var passed = tried
        while let number = candidate(members, source, passed) {
            passed |= 1 << UInt64(number)
            let upstream = set.upstreams[number]
            guard upstream.isUp, upstream.reserve() else { continue }
            if let now, upstream.isEjected(now: now) {
                upstream.unreserve()
                continue
            }
            return number
        }
        return nil
    }

    private mutating func candidate(
        _ members: [Int],
        _ source: SocketAddress,
        _ passed: UInt64
    ) -> Int? {
        switch set.balance {
        case .roundRobin: return nextInTurn(members, passed)
        case .leastConnections: return leastLoaded(members, passed)
        case .randomTwo:
            guard let one = drawn(members, passed) else { return nil }
            guard let other = drawn(members, passed | 1 << UInt64(one)) else { return one }
            return isLess(other, one) ? other : one
        case .sourceHash:
            return owner(source, members, passed) ?? nextInTurn(members, passed)
        }
    }

    // ---- the ways ----

    /// Smooth weighted round robin, as nginx has it: each gains its weight, and whoever stands
    /// highest is taken and pays the sum of all.
    private mutating func nextInTurn(_ members: [Int], _ passed: UInt64) -> Int? {
        var best: Int?
        var sum = 0
        for number in members where passed >> UInt64(number) & 1 == 0 {
            let weight = set.upstreams[number].options.weight
            credits[number] += weight
            sum += weight
            if best.map({ credits[number] > credits[$0] }) ?? true { best = number }
        }
        if let best { credits[best] -= sum }
        return best
    }

    /// Among those that are equal the next one in turn.
    private mutating func leastLoaded(_ members: [Int], _ passed: UInt64) -> Int? {
        firstLooked = members.isEmpty ? 0 : (firstLooked + 1) % members.count
        var best: Int?
        for place in members.indices {
            let number = members[(place + firstLooked) % members.count]
            guard passed >> UInt64(number) & 1 == 0 else { continue }
            if best.map({ isLess(number, $0) }) ?? true { best = number }
        }
        return best
    }

    private func isLess(_ one: Int, _ other: Int) -> Bool {
        let (a, b) = (set.upstreams[one], set.upstreams[other])
        return a.connectionCount * b.options.weight < b.connectionCount * a.options.weight
    }

    private mutating func drawn(_ members: [Int], _ passed: UInt64) -> Int? {
        let left = members.filter { passed >> UInt64($0) & 1 == 0 }
        let sum = left.reduce(0) { $0 + set.upstreams[$1].options.weight }
        guard sum > 0 else { return nil }
        var place = Int.random(in: 0..<sum, using: &random)
        for number in left {
            place -= set.upstreams[number].options.weight
            if place < 0 { return number }
        }
        return nil
    }

    /// The upstream of a source, or where that was passed over the one that its next tries lead to.
    private func owner(_ source: SocketAddress, _ members: [Int], _ passed: UInt64) -> Int? {
        guard members == set.ordinary else { return nil }
        for attempt in 0..<64 {
            guard let number = set.hashTable.owner(of: source, attempt: attempt) else { return nil }
            if passed >> UInt64(number) & 1 == 0 { return number }
        }
        return nil
    }
}

/// The generator SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
