// BufferPool: the memory that bytes live in from receive to send, and the proof of who owns each
// buffer. A buffer moves free -> kernel -> connection -> sending -> free; any other move traps, in
// release too, since it would hand one client's bytes to another.

import Net

/// Names a buffer of a worker's pool.
public struct BufferID: Equatable, Sendable {
    let rawValue: UInt16

    /// No buffer. The pool holds at most 32768, so this number is free.
    static let none = BufferID(rawValue: .max)
}

/// The buffers of one worker.
struct BufferPool: ~Copyable {
    /// Who may touch a buffer.
    enum Owner: UInt8 {
        /// Nobody: it lies in the free list.
        case free
        /// The kernel may write to it at any time.
        case kernel
        /// A connection: received or produced, and not yet being sent.
        case connection
        /// The kernel reads it until the send completes.
        case sending
    }

    /// What is known of a buffer. While a connection owns it, it is a link of an Outbox.
    struct Record {
        var owner: Owner
        var next: BufferID
        /// The bytes still to be sent, from `offset` on.
        var offset: UInt32
        var byteCount: UInt32
    }

    let bufferCount: Int
    let bufferBytes: Int
    // One cache line more than a buffer. Buffers at a power of two would begin in the same sets of
    // the cache and evict each other, however small the messages are.
    private let stride: Int
    private let memory: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let records: UnsafeMutablePointer<Record>
    private var firstFree: BufferID
    private(set) var freeCount: Int
    private(set) var kernelCount = 0

    init(limits: Limits) throws(SystemError) {
        bufferCount = limits.bufferCount
        bufferBytes = limits.bufferBytes
        stride = (bufferBytes + 63) / 64 * 64 + 64
        mappedBytes = bufferCount * stride
        memory = try Memory.map(byteCount: mappedBytes)
        records = .allocate(capacity: bufferCount)
        firstFree = .none
        freeCount = 0
        for index in Swift.stride(from: bufferCount - 1, through: 0, by: -1) {
            let record = Record(owner: .free, next: firstFree, offset: 0, byteCount: 0)
            records.advanced(by: index).initialize(to: record)
            firstFree = BufferID(rawValue: UInt16(index))
            freeCount += 1
        }
        BufferPool.permitAll(false, memory, byteCount: mappedBytes)
    }

    deinit {
        BufferPool.permitAll(true, memory, byteCount: mappedBytes)
        Memory.unmap(memory, byteCount: mappedBytes)
        records.deallocate()
    }

    /// How many buffers connections may still come to hold before all that is left is the reserve:
    /// a quarter, for those who hold none. Below zero when that is begun.
    var beyondReserve: Int {
        @inline(__always) get { freeCount &+ kernelCount &- bufferCount / 4 }
    }

    /// Whether the reserve is all that is left, or less.
    var areScarce: Bool {
        @inline(__always) get { beyondReserve <= 0 }
    }

    subscript(_ buffer: BufferID) -> Record {
        @inline(__always) unsafeAddress { UnsafePointer(records + Int(buffer.rawValue)) }
        @inline(__always) unsafeMutableAddress { records + Int(buffer.rawValue) }
    }

    /// Where a buffer begins.
    @inline(__always)
    func start(of buffer: BufferID) -> UnsafeMutableRawPointer {
        memory + Int(buffer.rawValue) &* stride
    }

    /// The bytes of a buffer that are still to be sent.
    @inline(__always)
    func bytes(of buffer: BufferID) -> UnsafeRawBufferPointer {
        let record = self[buffer]
        return UnsafeRawBufferPointer(
            start: start(of: buffer) + Int(record.offset),
            count: Int(record.byteCount)
        )
    }

    // ---- the moves ----

    /// free -> connection: the most recently freed buffer, which the cache still holds.
    @inline(__always)
    mutating func take() -> BufferID? {
        guard let buffer = popFree(owner: .connection) else { return nil }
        permit(bufferBytes, of: buffer)
        return buffer
    }

    /// free -> kernel.
    @inline(__always)
    mutating func takeForKernel() -> BufferID? {
        guard let buffer = popFree(owner: .kernel) else { return nil }
        kernelCount += 1
        return buffer
    }

    /// kernel -> connection: the kernel put `byteCount` bytes into it.
    @inline(__always)
    mutating func received(_ number: UInt16, byteCount: Int) -> BufferID {
        precondition(Int(number) < bufferCount, "the kernel named a buffer that does not exist")
        let buffer = BufferID(rawValue: number)
        move(buffer, from: .kernel, to: .connection)
        kernelCount -= 1
        fill(buffer, byteCount: byteCount)
        return buffer
    }

    /// Notes that a buffer that a connection owns holds `byteCount` bytes.
    @inline(__always)
    mutating func fill(_ buffer: BufferID, byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= bufferBytes)
        self[buffer].offset = 0
        self[buffer].byteCount = UInt32(truncatingIfNeeded: byteCount)
        permit(byteCount, of: buffer)
    }

    /// connection -> sending.
    @inline(__always)
    mutating func startSending(_ buffer: BufferID) {
        move(buffer, from: .connection, to: .sending)
    }

    /// sending -> connection: the send ended before it reached these bytes, or in the middle of
    /// them.
    @inline(__always)
    mutating func takeBack(_ buffer: BufferID) {
        move(buffer, from: .sending, to: .connection)
    }

    /// connection -> free.
    @inline(__always)
    mutating func release(_ buffer: BufferID) {
        move(buffer, from: .connection, to: .free)
        permit(0, of: buffer)
        self[buffer].next = firstFree
        firstFree = buffer
        freeCount += 1
    }

    @inline(__always)
    private mutating func popFree(owner: Owner) -> BufferID? {
        guard firstFree != .none else { return nil }
        let buffer = firstFree
        firstFree = self[buffer].next
        freeCount -= 1
        self[buffer].next = .none
        move(buffer, from: .free, to: owner)
        return buffer
    }

    @inline(__always)
    private mutating func move(_ buffer: BufferID, from: Owner, to: Owner) {
        precondition(self[buffer].owner == from, "a buffer changed hands against the rules")
        self[buffer].owner = to
    }
}
