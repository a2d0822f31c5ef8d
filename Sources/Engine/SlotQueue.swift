// SlotQueue: a first-in first-out queue of connections that wait for something. Its links are an
// array by slot, so that joining allocates nothing, and a connection is in it once at most.

import Net

/// A queue of slots.
///
/// A connection that ends stays in the queue until its turn; whoever takes a slot out asks whether
/// it still wants anything.
struct SlotQueue: ~Copyable {
    private let links: UnsafeMutablePointer<UInt32>
    private let mappedBytes: Int
    /// How many slots are in the queue.
    private(set) var count = 0
    private var first = SlotQueue.end
    private var last = SlotQueue.end

    // The links hold a slot plus two, so that fresh pages of zeros mean "not in the queue".
    private static let absent: UInt32 = 0
    private static let end: UInt32 = 1

    init(capacity: Int) throws(SystemError) {
        mappedBytes = capacity * MemoryLayout<UInt32>.stride
        links = try Memory.map(byteCount: mappedBytes)
            .bindMemory(to: UInt32.self, capacity: capacity)
    }

    deinit { Memory.unmap(links, byteCount: mappedBytes) }

    var isEmpty: Bool {
        @inline(__always) get { first == SlotQueue.end }
    }

    /// Adds a slot at the end, unless it is in the queue.
    @inline(__always)
    mutating func append(_ slot: UInt32) {
        guard links[Int(slot)] == SlotQueue.absent else { return }
        links[Int(slot)] = SlotQueue.end
        if last == SlotQueue.end {
            first = slot &+ 2
        } else {
            links[Int(last &- 2)] = slot &+ 2
        }
        last = slot &+ 2
        count &+= 1
    }

    /// Takes the first slot out.
    @inline(__always)
    mutating func popFirst() -> UInt32? {
        guard first != SlotQueue.end else { return nil }
        let slot = first &- 2
        first = links[Int(slot)]
        links[Int(slot)] = SlotQueue.absent
        count &-= 1
        if first == SlotQueue.end { last = SlotQueue.end }
        return slot
    }
}
