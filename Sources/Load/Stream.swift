// Stream: bytes without pause, as a handler: one way or both. What is counted are blocks of the
// plan's size: of bytes that came, or, where they are only sent, of bytes that left.

import Engine
import Net
import Synchronization

/// The stream workload of one worker.
struct Stream: Handler, ~Copyable {
    var production: Production { .most }

    private var load: LoadWorker
    private let direction: StreamDirection
    private let blockBytes: UInt64
    /// Bytes that are not a whole block yet.
    private var rest: UInt64 = 0

    init(_ plan: LoadPlan, worker: Int, control: LoadControl, direction: StreamDirection) {
        load = LoadWorker(plan, number: worker, control: control)
        self.direction = direction
        blockBytes = UInt64(plan.size.largest)
    }

    mutating func started(_ effects: inout Effects) { connectFirst(&effects) }

    private mutating func connectFirst(_ effects: inout Effects) {
        if let moment = load.connectFirst(&effects) { effects.wake(at: moment) }
    }

    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects) {
        load.opened(connection, Int(tag), Clock.monotonicNanoseconds())
        connectFirst(&effects)
        if load.phase == .ending {
            load.end(Int(tag), &effects)
        } else if direction != .receive {
            effects.produce(on: connection)
        }
    }

    mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects) {
        load.connectFailed(Int(tag), error)
        connectFirst(&effects)
    }

    mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        let session = load.sessions[of: connection]
        guard load.phase != .ending else {
            load.end(session, &effects)
            return 0
        }
        let count = bytes.byteCount
        let offset = load.sessions[session].sent
        if load.plan.verifies {
            load.verifier.stream(session, load.sessions).fill(&bytes, count: count, from: offset)
        }
        load.sessions[session].sent += UInt64(count)
        load.interval.bytesSent += UInt64(count)
        if direction == .send { countBlocks(count) }
        return count
    }

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let session = load.sessions[of: connection]
        load.sessions[session].heardAt = effects.now
        if let verdict = load.take(bytes, session) { return verdict }
        if direction != .send { countBlocks(bytes.byteCount) }
        return .consume
    }

    private mutating func countBlocks(_ byteCount: Int) {
        let (blocks, rest) = (rest + UInt64(byteCount)).quotientAndRemainder(dividingBy: blockBytes)
        load.interval.messages += blocks
        self.rest = rest
    }

    mutating func woke(_ effects: inout Effects) {
        if load.attend(effects), load.phase == .ending {
            for session in 0..<load.sessions.count { load.end(session, &effects) }
        }
        connectFirst(&effects)
    }

    mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        load.peerFinished(connection, &effects)
    }

    mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {
        load.closed(load.sessions[of: connection], end)
    }

    mutating func stopped() { load.deliver() }
}
