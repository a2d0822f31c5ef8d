// TimerWheel: one deadline for each connection, set and cleared in constant time, without
// allocation.
//
// A hashed timing wheel (Varghese and Lauck, 1987): a bucket for every 16.8 ms of the next 69
// seconds, each a list of connections linked by their slots. A deadline beyond that waits in the
// last bucket and is looked at again there: whoever takes a slot out asks for its true deadline
// anyway.

import Net

/// The deadlines of connections.
struct TimerWheel: ~Copyable {
    private struct Link {
        /// Slots plus one; 0 is the end.
        var next: UInt32
        var previous: UInt32
        /// The bucket plus one; 0 is in none.
        var bucket: UInt32
    }

    private static let bucketCount = 4096
    private static let tickShift: UInt64 = 24

    private let links: UnsafeMutablePointer<Link>
    private let heads: UnsafeMutablePointer<UInt32>
    // A bit for each bucket that is not empty.
    private let occupied: UnsafeMutablePointer<UInt64>
    private let mappedBytes: Int
    /// The tick whose bucket is being emptied. Everything in the wheel is of it or later.
    private var currentTick: UInt64

    init(capacity: Int, now: UInt64) throws(SystemError) {
        mappedBytes = capacity * MemoryLayout<Link>.stride
        links = try Memory.map(byteCount: mappedBytes)
            .bindMemory(to: Link.self, capacity: capacity)
        heads = .allocate(capacity: TimerWheel.bucketCount)
        heads.initialize(repeating: 0, count: TimerWheel.bucketCount)
        occupied = .allocate(capacity: TimerWheel.bucketCount / 64)
        occupied.initialize(repeating: 0, count: TimerWheel.bucketCount / 64)
        currentTick = now >> TimerWheel.tickShift
    }

    deinit {
        Memory.unmap(links, byteCount: mappedBytes)
        heads.deallocate()
        occupied.deallocate()
    }

    /// No slot comes due before this moment; nil where the wheel is empty.
    private(set) var earliest: UInt64?

    /// Sets the deadline of a slot, in place of an earlier one. It comes due within a tick after
    /// it.
    mutating func set(_ slot: UInt32, at moment: UInt64) {
        remove(slot)
        let wanted = (moment >> TimerWheel.tickShift) + 1
        let last = currentTick + UInt64(TimerWheel.bucketCount) - 1
        let tick = min(max(wanted, currentTick + 1), last)
        let bucket = Int(tick) & (TimerWheel.bucketCount - 1)
        let head = heads[bucket]
        links[Int(slot)] = Link(next: head, previous: 0, bucket: UInt32(bucket) + 1)
        if head != 0 { links[Int(head) - 1].previous = slot + 1 }
        heads[bucket] = slot + 1
        occupied[bucket / 64] |= 1 << UInt64(bucket % 64)
        let due = tick << TimerWheel.tickShift
        earliest = min(earliest ?? due, due)
    }

    /// Clears the deadline of a slot, if it has one.
    mutating func remove(_ slot: UInt32) {
        let link = links[Int(slot)]
        guard link.bucket != 0 else { return }
        let bucket = Int(link.bucket) - 1
        if link.next != 0 { links[Int(link.next) - 1].previous = link.previous }
        if link.previous != 0 {
            links[Int(link.previous) - 1].next = link.next
        } else {
            heads[bucket] = link.next
            if link.next == 0 { occupied[bucket / 64] &= ~(1 << UInt64(bucket % 64)) }
        }
        links[Int(slot)].bucket = 0
    }

    /// Takes a slot out whose deadline has passed; nil when there is none.
    mutating func popDue(now: UInt64) -> UInt32? {
        let nowTick = now >> TimerWheel.tickShift
        while true {
            let head = heads[Int(currentTick) & (TimerWheel.bucketCount - 1)]
            if head != 0 {
                remove(head - 1)
                return head - 1
            }
            guard let next = nextOccupied() else {
                currentTick = max(currentTick, nowTick)
                earliest = nil
                return nil
            }
            earliest = next << TimerWheel.tickShift
            guard next <= nowTick else {
                currentTick = max(currentTick, nowTick)
                return nil
            }
            currentTick = next
        }
    }

    /// The first tick from the current one on whose bucket is not empty.
    private func nextOccupied() -> UInt64? {
        let words = TimerWheel.bucketCount / 64
        let start = Int(currentTick) & (TimerWheel.bucketCount - 1)
        for step in 0...words {
            let word = (start / 64 + step) % words
            var bits = occupied[word]
            // The first word is looked at from the start on, and at the end once more before it.
            if step == 0 { bits &= ~0 << UInt64(start % 64) }
            if step == words { bits &= (1 << UInt64(start % 64)) - 1 }
            guard bits != 0 else { continue }
            let bucket = word * 64 + bits.trailingZeroBitCount
            let distance = (bucket - start + TimerWheel.bucketCount) % TimerWheel.bucketCount
            return currentTick + UInt64(distance)
        }
        return nil
    }
}
