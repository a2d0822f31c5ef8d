// PipePool: the pipes of a worker, all of them made at its start. A pipe is lent only while there
// are bytes in it, and the one that came home last is lent first: so a few serve many connections,
// and where peers that do not read hold all of them the others' bytes are copied.

import Net

/// Names a pipe of a worker's pool.
struct PipeID: Equatable {
    let rawValue: UInt8

    static let none = PipeID(rawValue: .max)
}

/// The pipes of one worker.
struct PipePool: ~Copyable {
    /// The most pipes of a worker: their numbers fit into a byte.
    static let countMax = 254

    /// What a pipe holds, as far as the kernel allows: 256 pages, since each piece of a packet
    /// takes a page's place however short it is. All that has arrived is moved at once, which is
    /// more than may wait in buffers: but so few pipes hold it.
    private static let pipeBytes = 1 << 20

    /// What came of filling a pipe.
    enum Filling {
        case filled(PipeID)
        /// There are no bytes, no pipe is free, or the kernel does not do it.
        case nothing
        /// The connection broke. The socket tells that once only.
        case broken(Errno)
    }

    private struct Entry {
        /// nil where it was thrown away and no other could be had; then it is not lent.
        var pipe: Pipe?
        var byteCount = 0
    }

    private var entries: [Entry] = []
    private var free: [PipeID] = []
    /// Whether there are any.
    let isOpen: Bool

    /// Makes as many pipes as the limits say, or as many as can be had.
    init(_ limits: Limits) {
        for number in 0..<limits.pipeCount {
            guard let pipe = try? Pipe(byteCount: PipePool.pipeBytes) else { break }
            entries.append(Entry(pipe: pipe))
            free.append(PipeID(rawValue: UInt8(number)))
        }
        isOpen = !entries.isEmpty
        if isOpen { Pipe.blockSignal() }
    }

    deinit { for entry in entries { entry.pipe?.close() } }

    /// Bytes in a pipe.
    func byteCount(of pipe: PipeID) -> Int { entries[Int(pipe.rawValue)].byteCount }

    /// Lends a pipe with bytes of a socket.
    ///
    /// - Parameter socket: bytes have arrived there, or it never waits.
    mutating func fill(from socket: Descriptor) -> Filling {
        guard let id = free.last, let pipe = entries[Int(id.rawValue)].pipe else { return .nothing }
        let count = pipe.fillOnce(from: socket, byteCount: PipePool.pipeBytes)
        guard count > 0 else {
            return count == 0 ? .nothing : PipePool.meaning(of: Errno(rawValue: Int32(-count)))
        }
        free.removeLast()
        entries[Int(id.rawValue)].byteCount = count
        return .filled(id)
    }

    private static func meaning(of error: Errno) -> Filling {
        switch error {
        // Of the call, not of the connection.
        case .outOfMemory, .notImplemented, .notSupported, .notPermitted: return .nothing
        default: break
        }
        switch ErrnoPolicy.ofTransfer(error) {
        case .ordinaryEnd, .broken: return .broken(error)
        case .again, .starved, .overload, .defect: return .nothing
        }
    }

    /// Hands what a pipe holds to a socket, as far as that takes it. Returns how much, or `-errno`.
    ///
    /// - Parameter mayWait: whether the socket is one that waits.
    mutating func drain(_ pipe: PipeID, into socket: Descriptor, mayWait: Bool) -> Int {
        let number = Int(pipe.rawValue)
        if mayWait { socket.setWaiting(false) }
        defer { if mayWait { socket.setWaiting(true) } }
        let entry = entries[number]
        guard let lent = entry.pipe else { preconditionFailure("a pipe that is lent is there") }
        let count = untilBelieved { lent.drainOnce(into: socket, byteCount: entry.byteCount) }
        entries[number].byteCount -= max(0, count)
        return count
    }

    /// Takes an empty pipe back.
    mutating func giveBack(_ pipe: PipeID) {
        precondition(byteCount(of: pipe) == 0, "what is left in a pipe would go to another client")
        free.append(pipe)
    }

    /// Takes a pipe back with what is in it.
    ///
    /// - Returns: how many bytes were dropped.
    mutating func discard(_ pipe: PipeID) -> Int {
        let number = Int(pipe.rawValue)
        let dropped = entries[number].byteCount
        guard dropped > 0 else {
            free.append(pipe)
            return 0
        }
        // A new one in its place: nothing empties a pipe for certain. The old one goes first, so
        // that its descriptors are there for the new one; where none can be had even so, its number
        // is not lent again.
        entries[number].pipe?.close()
        entries[number] = Entry(pipe: try? Pipe(byteCount: PipePool.pipeBytes))
        if entries[number].pipe != nil { free.append(pipe) }
        return dropped
    }
}
