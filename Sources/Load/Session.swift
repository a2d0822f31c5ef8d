// Session: what the load knows of each connection of its plan. A session outlives its connection:
// in `crr` it makes one after another, and its stream of bytes goes on where the last one ended.

import Engine

/// A request that may begin, or is under way.
struct Request: BitwiseCopyable {
    /// The moment from which its latency counts: when it was due, or allowed to begin.
    var due: UInt64
    var sentAt: UInt64 = 0
    /// The offset in the session's stream at which it ends.
    var end: UInt64 = 0
}

/// The state of a session.
struct Session {
    struct Flags: OptionSet {
        let rawValue: UInt16

        /// Its connect is under way.
        static let connecting = Flags(rawValue: 1 << 0)
        /// It stands in the queue of those that can take a request.
        static let queued = Flags(rawValue: 1 << 1)
        /// Nothing of a response has come on this connection yet.
        static let awaitsFirstByte = Flags(rawValue: 1 << 2)
        /// FIN was asked for, or RST.
        static let ending = Flags(rawValue: 1 << 3)
        /// A byte was wrong.
        static let faulty = Flags(rawValue: 1 << 4)
        /// The server finished first, or did not answer in time.
        static let cutShort = Flags(rawValue: 1 << 5)
        /// It does not read for a while.
        static let resting = Flags(rawValue: 1 << 6)
        /// It sends requests; in `idle` most do not.
        static let active = Flags(rawValue: 1 << 7)
    }

    var connection: ConnectionID?
    var flags: Flags = []
    var connectStarted: UInt64 = 0
    var openedAt: UInt64 = 0
    /// Of `crr`: when the request was due for which it connects.
    var due: UInt64 = 0
    /// Bytes produced and bytes received: offsets in the keyed stream.
    var sent: UInt64 = 0
    var received: UInt64 = 0
    /// Bytes of the current request that are still to be produced.
    var rest = 0
    /// The ring of requests: first those under way, then those that may begin.
    var firstRequest = 0
    var underWay = 0
    var granted = 0
    /// When bytes last came.
    var heardAt: UInt64 = 0
}

/// The sessions of one worker, and their requests.
struct SessionTable: ~Copyable {
    /// The numbers of the sessions in the whole run.
    let numbers: Range<Int>
    let depth: Int
    private let sessions: UnsafeMutablePointer<Session>
    private let requests: UnsafeMutablePointer<Request>
    // The session of each slot of the worker's table.
    private let sessionOfSlot: UnsafeMutablePointer<Int32>

    init(numbers: Range<Int>, depth: Int) {
        self.numbers = numbers
        self.depth = depth
        sessions = .allocate(capacity: max(1, numbers.count))
        sessions.initialize(repeating: Session(), count: numbers.count)
        requests = .allocate(capacity: max(1, numbers.count * depth))
        sessionOfSlot = .allocate(capacity: numbers.count + 1)
    }

    deinit {
        sessions.deallocate()
        requests.deallocate()
        sessionOfSlot.deallocate()
    }

    var count: Int { numbers.count }

    subscript(_ session: Int) -> Session {
        @inline(__always) unsafeAddress { UnsafePointer(sessions + session) }
        @inline(__always) unsafeMutableAddress { sessions + session }
    }

    /// The session of a connection.
    @inline(__always)
    subscript(of connection: ConnectionID) -> Int {
        get { Int(sessionOfSlot[Int(connection.slot)]) }
        nonmutating set {
            sessionOfSlot[Int(connection.slot)] = Int32(truncatingIfNeeded: newValue)
        }
    }

    /// Requests that a session may take on beside those it has.
    @inline(__always)
    func room(_ session: Int) -> Int {
        depth - sessions[session].underWay - sessions[session].granted
    }

    /// Lets a session begin one more request, whose latency counts from `due` on.
    @inline(__always)
    mutating func grant(_ session: Int, due: UInt64) {
        let place = place(session, sessions[session].underWay + sessions[session].granted)
        (requests + place).initialize(to: Request(due: due))
        sessions[session].granted += 1
    }

    /// When the next request that may begin was due; there is one.
    @inline(__always)
    func nextDue(_ session: Int) -> UInt64 {
        requests[place(session, sessions[session].underWay)].due
    }

    /// Begins the next request that may begin.
    @inline(__always)
    mutating func begin(_ session: Int, byteCount: Int, sentAt: UInt64) {
        let place = place(session, sessions[session].underWay)
        requests[place].sentAt = sentAt
        requests[place].end = sessions[session].sent + UInt64(byteCount)
        sessions[session].granted -= 1
        sessions[session].underWay += 1
        sessions[session].rest = byteCount
    }

    /// The oldest request under way; there is one.
    @inline(__always)
    func oldest(_ session: Int) -> Request { requests[place(session, 0)] }

    /// Takes out the oldest request under way.
    @inline(__always)
    mutating func completeOldest(_ session: Int) {
        var first = sessions[session].firstRequest + 1
        if first == depth { first = 0 }
        sessions[session].firstRequest = first
        sessions[session].underWay -= 1
    }

    /// How many of a session's requests count from a moment on.
    func requestCount(_ session: Int, dueSince moment: UInt64) -> Int {
        (0..<sessions[session].underWay + sessions[session].granted)
            .count { requests[place(session, $0)].due >= moment }
    }

    /// Forgets all requests, and what was sent and did not come back: the connection has ended.
    mutating func forgetRequests(_ session: Int) {
        sessions[session].underWay = 0
        sessions[session].granted = 0
        sessions[session].rest = 0
        sessions[session].received = sessions[session].sent
    }

    @inline(__always)
    private func place(_ session: Int, _ index: Int) -> Int {
        var place = sessions[session].firstRequest + index
        if place >= depth { place -= depth }
        return session * depth + place
    }
}
