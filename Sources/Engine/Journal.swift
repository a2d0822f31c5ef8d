// Journal: what the access log wants to know of each connection, gathered by the worker and handed
// to another thread through a queue with one writer and one reader. It exists only where it is
// asked for.

public import Net
import Synchronization

/// A connection that has ended.
public struct ConnectionRecord: Sendable {
    /// The worker that served it.
    public var worker: Int
    /// The addresses of both ends; nil where the kernel had forgotten them already.
    public var peer: SocketAddress?
    public var local: SocketAddress?
    /// When it was accepted and when it ended, in monotonic nanoseconds.
    public var openedAt: UInt64
    public var closedAt: UInt64
    /// Bytes received from and handed to the kernel for the peer.
    public var bytesReceived: UInt64
    public var bytesSent: UInt64
    /// How it ended.
    public var end: ConnectionEnd
    /// What TCP knew of it at the end.
    public var transmission: Transmission?
    /// What the handler had to say about it (`Handler.remark`).
    public var remark: Remark
}

/// What a handler has to say about a connection.
public struct Remark: Equatable, Sendable {
    /// Means what the handler wants it to.
    public var value: UInt64
    /// Whose connection it is, where that is not who made it.
    public var client: SocketAddress?

    /// A remark; nothing is said by default.
    public init(value: UInt64 = 0, client: SocketAddress? = nil) {
        self.value = value
        self.client = client
    }
}

/// The records of one worker on their way to a log: one thread writes, one reads.
final class RecordQueue: @unchecked Sendable {
    static let capacity = 8192

    // Safe though unchecked: the writer touches only places from `tail` on, the reader only those
    // before it, and each publishes its index with a release that the other acquires.
    private let places: UnsafeMutablePointer<ConnectionRecord?>
    private let head = Atomic<Int>(0)
    private let tail = Atomic<Int>(0)

    init() {
        places = .allocate(capacity: RecordQueue.capacity)
        places.initialize(repeating: nil, count: RecordQueue.capacity)
    }

    deinit {
        places.deinitialize(count: RecordQueue.capacity)
        places.deallocate()
    }

    /// Adds a record; false where the reader is too far behind.
    func append(_ record: ConnectionRecord) -> Bool {
        let end = tail.load(ordering: .relaxed)
        guard end - head.load(ordering: .acquiring) < RecordQueue.capacity else { return false }
        places[end % RecordQueue.capacity] = record
        tail.store(end + 1, ordering: .releasing)
        return true
    }

    /// Takes the oldest record.
    func popFirst() -> ConnectionRecord? {
        let start = head.load(ordering: .relaxed)
        guard start < tail.load(ordering: .acquiring) else { return nil }
        let record = places[start % RecordQueue.capacity]
        head.store(start + 1, ordering: .releasing)
        return record
    }
}

/// One worker's notes on its open connections, by slot. A plain value over memory that its maker
/// frees, so that noting bytes in the loop counts no references.
struct Journal {
    private struct Entry {
        var openedAt: UInt64
        var bytesReceived: UInt64
        var bytesSent: UInt64
        var peer: SocketAddress?
    }

    private let worker: Int
    private let entries: UnsafeMutablePointer<Entry>
    private let mappedBytes: Int
    private let queue: Unmanaged<RecordQueue>

    /// - Parameter queue: outlives the journal.
    init(worker: Int, capacity: Int, queue: RecordQueue) throws(SystemError) {
        self.worker = worker
        mappedBytes = capacity * MemoryLayout<Entry>.stride
        entries = try Memory.map(byteCount: mappedBytes)
            .bindMemory(to: Entry.self, capacity: capacity)
        self.queue = .passUnretained(queue)
    }

    /// Frees the memory. Called once, at the end.
    func free() { Memory.unmap(entries, byteCount: mappedBytes) }

    @inline(never)
    func open(_ slot: UInt32, peer: SocketAddress?, now: UInt64) {
        let entry = Entry(openedAt: now, bytesReceived: 0, bytesSent: 0, peer: peer)
        (entries + Int(slot)).initialize(to: entry)
    }

    @inline(__always)
    func received(_ slot: UInt32, _ byteCount: Int) {
        entries[Int(slot)].bytesReceived &+= UInt64(byteCount)
    }

    @inline(__always)
    func sent(_ slot: UInt32, _ byteCount: Int) {
        entries[Int(slot)].bytesSent &+= UInt64(byteCount)
    }

    /// Hands the record of a connection over; false where the queue is full.
    @inline(never)
    func close(
        _ slot: UInt32,
        _ end: ConnectionEnd,
        _ addresses: ConnectionAddresses,
        _ transmission: Transmission?,
        _ remark: Remark,
        now: UInt64
    ) -> Bool {
        let entry = entries[Int(slot)]
        let record = ConnectionRecord(
            worker: worker,
            peer: entry.peer,
            local: addresses.local,
            openedAt: entry.openedAt,
            closedAt: now,
            bytesReceived: entry.bytesReceived,
            bytesSent: entry.bytesSent,
            end: end,
            transmission: transmission,
            remark: remark
        )
        return queue._withUnsafeGuaranteedRef { $0.append(record) }
    }
}
