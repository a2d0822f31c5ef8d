// FaultyEcho: an echo with one fault, to show that a judge finds it. It copies what it receives and
// produces it again, so that it can do to the bytes what a broken server does. Without a fault it
// is right, which shows that it is the fault that is found.

public import Engine

/// What a faulty echo does wrong.
public enum EchoFault: String, CaseIterable, Sendable {
    case none
    /// At the client's FIN, what was not sent yet is dropped.
    case dropsTail
    /// A connection's third receive goes to another connection, if there is one.
    case mixes
    /// At the client's FIN the connection is reset.
    case resets
    /// One byte in the middle of a large receive is left out.
    case losesByte
    /// Two blocks in the middle of a large receive change places.
    case swapsBlocks
    /// A connection that was silent for 200 ms is ended.
    case endsIdle
    /// While one client does not read, nobody gets anything.
    case stallsOthers
    /// Reading goes on for a client that does not read.
    case neverStopsReading
}

/// An echo by copying.
public struct FaultyEcho: Handler, ~Copyable {
    public static var produces: Bool { true }

    private struct Backlog {
        var bytes: [UInt8] = []
        var taken = 0
        var receives = 0
        var sendsFrom: UInt64 = 0
        var activeAt: UInt64 = 0
        var peerHasFinished = false
        var isPaused = false

        var count: Int { bytes.count - taken }
    }

    private static let pauseBytes = 1 << 20
    private static let holdNanoseconds: UInt64 = 2_000_000
    private static let idleNanoseconds: UInt64 = 200_000_000

    private let fault: EchoFault
    private var backlogs: [ConnectionID: Backlog] = [:]

    /// An echo with a fault.
    public init(_ fault: EchoFault) { self.fault = fault }

    public mutating func started(_ effects: inout Effects) { wakeSoon(&effects) }

    public mutating func opened(
        _ connection: ConnectionID,
        tag: UInt32,
        _ effects: inout Effects
    ) {
        backlogs[connection] = Backlog(activeAt: effects.now)
    }

    public mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let copy = bytes.withUnsafeBytes { Array($0) }
        backlogs[connection]!.receives += 1
        backlogs[connection]!.activeAt = effects.now
        backlogs[connection]!.sendsFrom = effects.now + FaultyEcho.holdNanoseconds
        var target = connection
        if fault == .mixes, backlogs[connection]!.receives == 3 {
            target = backlogs.keys.first { $0 != connection } ?? connection
        }
        backlogs[target]!.bytes += spoiled(copy)
        if fault != .dropsTail { effects.produce(on: target) }
        if fault != .neverStopsReading, !backlogs[connection]!.isPaused,
            backlogs[connection]!.count > FaultyEcho.pauseBytes
        {
            backlogs[connection]!.isPaused = true
            effects.pause(connection)
        }
        return .consume
    }

    private func spoiled(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 8192 else { return bytes }
        var bytes = bytes
        switch fault {
        case .losesByte: bytes.remove(at: bytes.count / 2)
        case .swapsBlocks:
            let first = bytes[1024..<2048]
            bytes.replaceSubrange(1024..<2048, with: bytes[2048..<3072])
            bytes.replaceSubrange(2048..<3072, with: first)
        default: break
        }
        return bytes
    }

    public mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        guard var backlog = backlogs.removeValue(forKey: connection) else { return 0 }
        defer { backlogs[connection] = backlog }
        if fault == .dropsTail, effects.now < backlog.sendsFrom { return 0 }
        if fault == .stallsOthers, backlogs.values.contains(where: \.isPaused) { return 0 }
        let count = min(bytes.byteCount, backlog.count)
        for index in 0..<count {
            bytes.storeBytes(
                of: backlog.bytes[backlog.taken + index],
                toByteOffset: index,
                as: UInt8.self
            )
        }
        backlog.taken += count
        if backlog.taken == backlog.bytes.count {
            backlog.bytes.removeAll(keepingCapacity: true)
            backlog.taken = 0
            if backlog.peerHasFinished { effects.finish(connection) }
        }
        if backlog.isPaused, backlog.count < FaultyEcho.pauseBytes / 2 {
            backlog.isPaused = false
            effects.resume(connection)
        }
        return count
    }

    public mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        backlogs[connection]!.peerHasFinished = true
        switch fault {
        case .resets: effects.abort(connection)
        case .dropsTail:
            backlogs[connection]!.bytes = []
            backlogs[connection]!.taken = 0
            effects.finish(connection)
        default:
            if backlogs[connection]!.count == 0 { effects.finish(connection) }
        }
    }

    public mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {
        backlogs[connection] = nil
    }

    /// Every millisecond, for those faults that need time.
    public mutating func woke(_ effects: inout Effects) {
        for (connection, backlog) in backlogs {
            if fault == .endsIdle {
                guard effects.now > backlog.activeAt + FaultyEcho.idleNanoseconds else { continue }
                effects.finish(connection)
            } else if backlog.count > 0 {
                effects.produce(on: connection)
            }
        }
        wakeSoon(&effects)
    }

    private func wakeSoon(_ effects: inout Effects) {
        guard [.dropsTail, .endsIdle, .stallsOthers].contains(fault) else { return }
        effects.wake(at: effects.now + 1_000_000)
    }
}
