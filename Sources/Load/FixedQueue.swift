// FixedQueue: a first-in first-out queue of plain values whose room is fixed at the start, so that
// the loop never allocates.

/// A queue of at most `capacity` values.
struct FixedQueue<Element: BitwiseCopyable>: ~Copyable {
    private let places: UnsafeMutablePointer<Element>
    private let capacity: Int
    private var head = 0
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(1, capacity)
        places = .allocate(capacity: self.capacity)
    }

    deinit { places.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// The oldest value, or nil.
    var first: Element? { count == 0 ? nil : places[head] }

    mutating func append(_ element: Element) {
        precondition(count < capacity, "a queue holds more than its sessions can cause")
        var tail = head + count
        if tail >= capacity { tail -= capacity }
        (places + tail).initialize(to: element)
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = places[head]
        head += 1
        if head == capacity { head = 0 }
        count -= 1
        return element
    }
}
