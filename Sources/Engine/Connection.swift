// Connection and ConnectionTable: what a worker knows of each connection, in one flat table. A
// slot's generation grows whenever the slot is freed, so that whatever arrives late for its former
// owner is recognised.

import Net
import URing

/// Names a connection of a worker: its place in the table, and which of that place's owners it is.
public struct ConnectionID: Equatable, Hashable, Sendable {
    /// The place: from 0 up to `Limits.connectionsMax`. Handlers keep their own tables by it.
    public let slot: UInt32
    /// Grows with each new owner of the place.
    public let generation: UInt32

    static let none = ConnectionID(slot: .max, generation: 0)
}

/// The state of one connection: at most one cache line.
struct Connection {
    /// What is going on. Each flag is set and cleared in one place of the worker or the driver.
    struct Flags: OptionSet {
        let rawValue: UInt32

        /// The slot is in use.
        static let open = Flags(rawValue: 1 << 0)
        /// A connect is in flight.
        static let connecting = Flags(rawValue: 1 << 1)
        /// A receive is armed (io_uring), or wanted (epoll).
        static let receiving = Flags(rawValue: 1 << 2)
        /// The armed receive has been asked to end.
        static let receiveEnding = Flags(rawValue: 1 << 3)
        /// A send is in flight (io_uring), or waits until the socket takes more (epoll).
        static let sending = Flags(rawValue: 1 << 4)
        /// The peer has sent FIN, or the receive side failed: nothing more will arrive.
        static let peerFinished = Flags(rawValue: 1 << 5)
        /// FIN follows when the outbox is empty.
        static let finishing = Flags(rawValue: 1 << 6)
        /// FIN has been sent.
        static let finished = Flags(rawValue: 1 << 7)
        /// The connection ends at once: what is queued is dropped, and what is in flight is
        /// awaited.
        static let aborting = Flags(rawValue: 1 << 8)
        /// Reading waits until the outbox it feeds has drained.
        static let throttled = Flags(rawValue: 1 << 9)
        /// Reading waits until the handler wants it.
        static let paused = Flags(rawValue: 1 << 10)
        /// The handler has bytes to send.
        static let producing = Flags(rawValue: 1 << 11)
        /// It was accepted, not made.
        static let accepted = Flags(rawValue: 1 << 12)
        /// RST follows when the peer has acknowledged everything.
        static let resetting = Flags(rawValue: 1 << 13)
        /// The connect in flight took too long.
        static let connectOverdue = Flags(rawValue: 1 << 14)

        /// What it receives goes on through a pipe, without being copied.
        static let bypassing = Flags(rawValue: 1 << 15)
        /// A pipe holds bytes for it.
        static let piped = Flags(rawValue: 1 << 20)
        /// Its turn to go has come, at a stop at a pace.
        static let leaving = Flags(rawValue: 1 << 22)

        /// It is to come to rest, and is not read: another process is to have it.
        static let settling = Flags(rawValue: 1 << 24)
        /// It is at rest, and another process may have it, or have it still: nobody touches it.
        static let parked = Flags(rawValue: 1 << 23)

        // Of the io_uring driver alone.
        /// What is armed only waits until bytes are there.
        static let polling = Flags(rawValue: 1 << 21)

        // Of the epoll driver alone: what the kernel has reported.
        static let readable = Flags(rawValue: 1 << 16)
        static let writable = Flags(rawValue: 1 << 17)
        /// FIN, a hang-up, an error or an urgent byte has been reported: a receive that fills less
        /// than its buffer is not the last one, and no edge may follow.
        static let readToEnd = Flags(rawValue: 1 << 18)
        /// The kernel would not watch it: it can only be ended.
        static let unwatched = Flags(rawValue: 1 << 19)
    }

    var descriptor = Descriptor.none
    var generation: UInt32 = 0
    var flags: Flags = []
    /// The buffers that wait to be sent, in order.
    var outbox = Outbox()
    /// Whose receives fill the outbox: stopped when it is full, resumed when it has drained. Itself
    /// for an echo.
    var feeder = ConnectionID.none
    /// The slot whose outbox it last filled. That may have another owner by now.
    var fed: UInt32 = .max
    /// What the handler called it when it asked for the connection.
    var tag: UInt32 = 0
    /// The turn in which the send in flight began; wraps.
    var sendTurn: UInt16 = 0
    /// Large receives in a row, as long as it is read into buffers; while it goes through pipes,
    /// what is left until it is read into buffers again.
    var bulk: UInt8 = 0
    /// The pipe that holds bytes for it, while `.piped`.
    var pipe = PipeID.none
    /// When bytes last arrived, and when a send last began or took bytes, in milliseconds; both
    /// wrap.
    var receivedAt: UInt32 = 0
    var progressAt: UInt32 = 0
    /// What the peer had acknowledged when a stalled send was last looked at; wraps.
    var acknowledged: UInt32 = 0
    /// Bytes that were dropped instead of being sent; saturates.
    var undelivered: UInt32 = 0
    /// Why it ends, where this side has a reason of its own, or it broke.
    var termination: Termination?
}

/// The connections of one worker.
struct ConnectionTable: ~Copyable {
    let capacity: Int
    private(set) var count = 0
    /// Connections that were accepted.
    private(set) var acceptedCount = 0
    private let records: UnsafeMutablePointer<Connection>
    private let freeSlots: UnsafeMutablePointer<UInt32>
    private let mappedBytes: Int
    // Slots below this one have been used; those above are untouched, and cost no memory.
    private(set) var usedSlots = 0
    private var freeSlotCount = 0

    init(capacity: Int) throws(SystemError) {
        precondition(MemoryLayout<Connection>.stride <= 64)
        self.capacity = capacity
        let recordBytes = capacity * MemoryLayout<Connection>.stride
        mappedBytes = recordBytes + capacity * MemoryLayout<UInt32>.stride
        let pages = try Memory.map(byteCount: mappedBytes)
        records = pages.bindMemory(to: Connection.self, capacity: capacity)
        freeSlots = (pages + recordBytes).bindMemory(to: UInt32.self, capacity: capacity)
    }

    deinit { Memory.unmap(records, byteCount: mappedBytes) }

    subscript(_ slot: UInt32) -> Connection {
        @inline(__always) unsafeAddress { UnsafePointer(records + Int(slot)) }
        @inline(__always) unsafeMutableAddress { records + Int(slot) }
    }

    /// Slots that are free.
    var room: Int { capacity - count }

    /// The name of the connection in a slot.
    @inline(__always)
    func id(of slot: UInt32) -> ConnectionID {
        ConnectionID(slot: slot, generation: self[slot].generation)
    }

    /// Whether a generation is the current owner of a slot. The slot may be any number.
    @inline(__always)
    func isCurrent(slot: UInt32, generation: UInt32) -> Bool {
        slot < UInt32(truncatingIfNeeded: usedSlots)
            && self[slot].generation == generation && self[slot].flags.contains(.open)
    }

    /// How many more may be accepted, where each comes to have so many slots: its own, and those of
    /// the connections that are made for it.
    func room(slotsEach: Int) -> Int {
        let owed = max(0, acceptedCount * (slotsEach - 1) - (count - acceptedCount))
        return max(0, (room - owed) / slotsEach)
    }

    /// Puts a connection into a free slot, or returns nil where none is left.
    mutating func insert(_ descriptor: Descriptor, isAccepted: Bool) -> UInt32? {
        let slot: UInt32
        if freeSlotCount > 0 {
            freeSlotCount -= 1
            slot = freeSlots[freeSlotCount]
        } else if usedSlots < capacity {
            slot = UInt32(usedSlots)
            usedSlots += 1
        } else {
            return nil
        }
        let generation = self[slot].generation
        self[slot] = Connection()
        self[slot].generation = generation
        self[slot].descriptor = descriptor
        self[slot].flags = isAccepted ? [.open, .accepted] : .open
        count += 1
        if isAccepted { acceptedCount += 1 }
        return slot
    }

    /// Frees a slot. Its next owner has another generation.
    mutating func remove(_ slot: UInt32) {
        precondition(self[slot].flags.contains(.open) && self[slot].outbox.isEmpty)
        if self[slot].flags.contains(.accepted) { acceptedCount -= 1 }
        self[slot].flags = []
        self[slot].generation &+= 1
        self[slot].descriptor = .none
        freeSlots[freeSlotCount] = slot
        freeSlotCount += 1
        count -= 1
    }
}
