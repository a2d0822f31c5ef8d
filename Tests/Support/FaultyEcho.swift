// FaultyEcho: an echo with one fault, to show that a judge finds it. It copies what it receives and
// produces it again, so that it can do to the bytes what a broken server does. Without a fault it
// is right, which shows that it is the fault that is found.

public import Engine

/// An echo by copying.
public struct FaultyEcho: Handler, ~Copyable {
    public var production: Production { .most }

    private struct Backlog {
        var bytes: [UInt8] = []
        var taken = 0
        var receives = 0
        /// All bytes that have arrived.
        var arrived = 0
        var openedAt: UInt64
        var activeAt: UInt64
        var sendsFrom: UInt64 = 0
        var peerHasFinished = false
        var isPaused = false
        var isServed = true

        var count: Int { bytes.count - taken }
    }

    private static let pauseBytes = 1 << 20
    private static let overflowBytes = 1 << 18
    private static let blockBytes = 4096
    private static let smallBytes = 8192
    private static let dripBytes = 64
    private static let millisecond: UInt64 = 1_000_000

    private let fault: EchoFault
    private var backlogs: [ConnectionID: Backlog] = [:]
    private var leakedSlots = 0

    /// An echo with a fault.
    public init(_ fault: EchoFault) { self.fault = fault }

    public mutating func started(_ effects: inout Effects) { wakeSoon(&effects) }

    public mutating func opened(
        _ connection: ConnectionID,
        tag: UInt32,
        _ effects: inout Effects
    ) {
        var backlog = Backlog(openedAt: effects.now, activeAt: effects.now)
        backlog.isServed = leakedSlots < (fault == .leaksEnded ? 80 : 8)
        if fault == .greets {
            backlog.bytes = [0x21]
            effects.produce(on: connection)
        }
        backlogs[connection] = backlog
    }

    public mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        guard backlogs[connection]!.isServed else { return .consume }
        // Taken out while it changes: an array that two hold would be copied.
        var backlog = backlogs.removeValue(forKey: connection)!
        backlog.receives += 1
        backlog.activeAt = effects.now
        if fault == .dropsTail { backlog.sendsFrom = effects.now + 20 * FaultyEcho.millisecond }
        let kept = spoiled(bytes.withUnsafeBytes { Array($0) }, backlog)
        backlog.arrived += bytes.byteCount
        var target = connection
        if fault == .mixes, backlog.receives == 3 { target = backlogs.keys.first ?? connection }
        if target == connection { backlog.bytes += kept } else { backlogs[target]!.bytes += kept }
        effects.produce(on: target)
        if fault != .neverStopsReading, !backlog.isPaused, backlog.count > FaultyEcho.pauseBytes {
            backlog.isPaused = true
            effects.pause(connection)
        }
        backlogs[connection] = backlog
        return .consume
    }

    /// What is kept of a receive.
    private func spoiled(_ bytes: [UInt8], _ backlog: Backlog) -> [UInt8] {
        let isLarge = bytes.count >= 8192
        switch fault {
        case .losesByte where isLarge:
            return Array(bytes[..<(bytes.count / 2)] + bytes[(bytes.count / 2 + 1)...])
        case .swapsBlocks where isLarge:
            return Array(
                bytes[..<1024] + bytes[2048..<3072] + bytes[1024..<2048] + bytes[3072...]
            )
        case .repeats where backlog.receives % 50 == 0: return bytes + bytes
        case .stripsHighBit: return bytes.map { $0 & 0x7f }
        case .cutsAtBlocks:
            let room = FaultyEcho.blockBytes - backlog.arrived % FaultyEcho.blockBytes
            return Array(bytes.prefix(room))
        case .dropsOverflow:
            let isLeftOut = backlog.receives % 2 == 0 && backlog.count > FaultyEcho.overflowBytes
            return isLeftOut ? [] : bytes
        case .dropsEarly:
            let isEarly = backlog.activeAt < backlog.openedAt + 100 * FaultyEcho.millisecond
            return isEarly ? [] : bytes
        default: return bytes
        }
    }

    public mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        guard var backlog = backlogs.removeValue(forKey: connection) else { return 0 }
        defer { backlogs[connection] = backlog }
        if mustWait(backlog, effects.now) { return 0 }
        var count = min(bytes.byteCount, backlog.count)
        if fault == .drips {
            count = min(count, FaultyEcho.dripBytes)
            backlog.sendsFrom = effects.now + FaultyEcho.millisecond
        }
        bytes.withUnsafeMutableBytes {
            $0.copyBytes(from: backlog.bytes[backlog.taken..<(backlog.taken + count)])
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

    /// Whether a fault keeps a connection's bytes back for now.
    private func mustWait(_ backlog: Backlog, _ now: UInt64) -> Bool {
        switch fault {
        case .dropsTail, .drips: now < backlog.sendsFrom
        case .stallsOthers: backlogs.values.contains(where: \.isPaused)
        case .holdsSmall: backlog.count < FaultyEcho.smallBytes && !backlog.peerHasFinished
        default: false
        }
    }

    public mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        guard var backlog = backlogs[connection], backlog.isServed else { return }
        switch fault {
        case .resets: effects.abort(connection)
        case .neverFinishes: return
        case .dropsTail:
            backlog.bytes = []
            backlog.taken = 0
            effects.finish(connection)
        default:
            if backlog.count == 0 {
                effects.finish(connection)
            } else {
                effects.produce(on: connection)
            }
        }
        backlog.peerHasFinished = true
        backlogs[connection] = backlog
    }

    public mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {
        backlogs[connection] = nil
        switch (fault, end.termination) {
        case (.leaksEnded, .peerFinished), (.leaksReset, .peerReset): leakedSlots += 1
        default: break
        }
    }

    /// Every millisecond, for those faults that need time.
    public mutating func woke(_ effects: inout Effects) {
        for (connection, backlog) in backlogs {
            let isIdle = effects.now > backlog.activeAt + 200 * FaultyEcho.millisecond
            switch (fault == .endsIdle, isIdle, backlog.count > 0) {
            case (true, true, true): effects.abort(connection)
            case (true, true, false): effects.finish(connection)
            case (false, _, true): effects.produce(on: connection)
            default: break
            }
        }
        wakeSoon(&effects)
    }

    private func wakeSoon(_ effects: inout Effects) {
        guard [.dropsTail, .endsIdle, .stallsOthers, .drips].contains(fault) else { return }
        effects.wake(at: effects.now + FaultyEcho.millisecond)
    }
}
