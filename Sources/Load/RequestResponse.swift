// RequestResponse: requests and their responses, as a handler. A response is complete when as many
// bytes have come back as were sent up to the request's end. Whether a request may begin is decided
// in RequestResponse+Arrivals.swift; here is the way of its bytes.
//
// It serves three workloads. In `rr` connections last. In `crr` each request has a connection of
// its own. In `idle` most connections have no request at all.

import Engine
import Measure
import Net
import Synchronization

/// The request-response workloads of one worker.
struct RequestResponse: Handler, ~Copyable {
    var production: Production { .most }

    /// A session, and when something is to happen to it.
    struct Waiting: BitwiseCopyable {
        var moment: UInt64
        var session: Int
    }

    var load: LoadWorker
    let isOpenLoop: Bool
    let connectsForEach: Bool
    let thinkNanoseconds: UInt64
    /// The schedule of an open loop, once it runs.
    var schedule: Schedule?
    /// Sessions that could take a request that is due, and since when there is one.
    var free: FixedQueue<Int>
    var freeSince: UInt64 = 0
    /// Sessions between a response and the next request.
    var thinking: FixedQueue<Waiting>
    /// Sessions of `crr` whose connect failed, until they try again.
    var retrying: FixedQueue<Waiting>
    /// Sessions that do not read.
    var resting: FixedQueue<Waiting>
    /// Whether the run lasts for a number of messages. Then, from the beginning of the window on,
    /// how many may still begin, and how many are not complete.
    let countsMessages: Bool
    var messagesLeft = Int.max
    var messagesAwaited = Int.max
    /// Requests that began in the turn of this moment.
    var batch: UInt64 = 0
    var batchTurn: UInt64 = 0
    /// When overdue responses are looked for again, and for when the next wake is asked for.
    var nextTimeoutCheck: UInt64 = 0
    var wakeAt = UInt64.max

    init(_ plan: LoadPlan, worker: Int, control: LoadControl) {
        load = LoadWorker(plan, number: worker, control: control)
        isOpenLoop = plan.arrivals.isOpen
        connectsForEach = plan.workload == .connectRequestClose
        if case .closed(let think) = plan.arrivals {
            thinkNanoseconds = think
        } else {
            thinkNanoseconds = 0
        }
        let count = load.sessions.count
        free = FixedQueue(capacity: count)
        thinking = FixedQueue(capacity: thinkNanoseconds > 0 ? count * plan.depth : 0)
        retrying = FixedQueue(capacity: connectsForEach ? count : 0)
        resting = FixedQueue(capacity: plan.readDelayNanoseconds > 0 ? count : 0)
        countsMessages = plan.messages(ofWorker: worker) != nil
        for session in 0..<plan.activeConnections(ofWorker: worker) {
            load.sessions[session].flags = .active
        }
    }

    // ---- connections ----

    mutating func started(_ effects: inout Effects) {
        Thread.makeTimersExact()
        // A session of `crr` connects when its request begins.
        if !connectsForEach { connectFirst(&effects) }
        nextTimeoutCheck = Clock.monotonicNanoseconds() + RequestResponse.timeoutCheckInterval
        wake(at: nextTimeoutCheck, &effects)
    }

    mutating func connectFirst(_ effects: inout Effects) {
        if let moment = load.connectFirst(&effects) { wake(at: moment, &effects) }
    }

    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects) {
        let session = Int(tag)
        let now = Clock.monotonicNanoseconds()
        load.opened(connection, session, now)
        if connectsForEach {
            load.sessions.grant(session, due: load.sessions[session].due)
            return effects.produce(on: connection)
        }
        connectFirst(&effects)
        if load.phase == .ending { end(session, &effects) } else { ready(session, now, &effects) }
    }

    mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects) {
        load.connectFailed(Int(tag), error)
        if connectsForEach {
            retry(Int(tag), &effects)
        } else {
            connectFirst(&effects)
        }
    }

    // ---- requests ----

    mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        let session = load.sessions[of: connection]
        let offset = load.sessions[session].sent
        let room = bytes.byteCount
        var count = 0
        while count < room {
            if load.sessions[session].rest == 0 {
                guard load.sessions[session].granted > 0 else { break }
                let size = load.plan.size.next(&load.random)
                let sentAt = sentAt(session, turn: effects.now)
                load.sessions.begin(session, byteCount: size, sentAt: sentAt)
                if !isOpenLoop { countBatch(turn: effects.now) }
            }
            let part = min(load.sessions[session].rest, room - count)
            load.sessions[session].rest -= part
            load.sessions[session].sent += UInt64(part)
            count += part
        }
        load.interval.bytesSent &+= UInt64(count)
        if load.plan.verifies {
            load.verifier.stream(session, load.sessions).fill(&bytes, count: count, from: offset)
        }
        if count < room, load.phase == .ending { end(session, &effects) }
        return count
    }

    /// When the next request is sent. A transaction of `crr` begins with its connect. In a closed
    /// loop a request is due when the clock was last read, most often: when it was let begin in
    /// this turn, at whose end it leaves.
    @inline(__always)
    private func sentAt(_ session: Int, turn: UInt64) -> UInt64 {
        if connectsForEach { return load.sessions[session].connectStarted }
        let due = load.sessions.nextDue(session)
        return !isOpenLoop && due >= turn ? due : Clock.monotonicNanoseconds()
    }

    @inline(__always)
    private mutating func countBatch(turn: UInt64) {
        if batchTurn != turn {
            load.interval.batches.count(batch)
            batch = 0
            batchTurn = turn
        }
        batch &+= 1
    }

    // ---- responses ----

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let session = load.sessions[of: connection]
        if let verdict = load.take(bytes, session) { return verdict }
        if load.plan.readDelayNanoseconds > 0 { rest(session, effects.now, &effects) }
        guard load.sessions[session].underWay > 0 else { return .consume }
        let now = Clock.monotonicNanoseconds()
        noteSilence(session, now)
        while load.sessions[session].underWay > 0 {
            let request = load.sessions.oldest(session)
            guard request.end <= load.sessions[session].received else { break }
            load.sessions.completeOldest(session)
            record(request, now)
            if connectsForEach {
                endTransaction(session, &effects)
            } else {
                complete(session, now, &effects)
            }
        }
        return .consume
    }

    @inline(__always)
    private mutating func noteSilence(_ session: Int, _ now: UInt64) {
        if connectsForEach, load.sessions[session].flags.contains(.awaitsFirstByte) {
            load.sessions[session].flags.remove(.awaitsFirstByte)
            load.interval.firstByteLatency.record(now &- load.sessions[session].openedAt)
        }
        let oldest = load.sessions.oldest(session).sentAt
        let silence = now &- max(load.sessions[session].heardAt, oldest)
        // A stall counts whenever it comes, also after the window, when only responses are awaited.
        if silence > load.interval.longestSilenceNanoseconds {
            load.interval.longestSilenceNanoseconds = silence
        }
        load.sessions[session].heardAt = now
    }

    /// Records a response. In a closed loop those count that come within the window. Where requests
    /// have a moment or a number, those count that began within it, however late they come:
    /// leaving out the late ones would hide what is looked for.
    @inline(__always)
    private mutating func record(_ request: Request, _ now: UInt64) {
        if isOpenLoop || countsMessages {
            guard load.phase != .measuring || request.due >= load.phaseStart else { return }
        }
        load.interval.messages &+= 1
        load.interval.latency.record(now &- request.due(inOpenLoop: isOpenLoop))
        if isOpenLoop { load.interval.serviceLatency.record(now &- request.sentAt) }
        giveUp(1)
    }

    // ---- reading slowly ----

    private mutating func rest(_ session: Int, _ now: UInt64, _ effects: inout Effects) {
        guard let connection = load.sessions[session].connection,
            !load.sessions[session].flags.contains(.resting)
        else { return }
        load.sessions[session].flags.insert(.resting)
        effects.pause(connection)
        let moment = now + load.plan.readDelayNanoseconds
        resting.append(Waiting(moment: moment, session: session))
        wake(at: moment, &effects)
    }

    // ---- the end ----

    mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        load.peerFinished(connection, &effects)
    }

    mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {
        let session = load.sessions[of: connection]
        giveUp(load.sessions.requestCount(session, dueSince: load.phaseStart))
        load.closed(session, end)
        if connectsForEach { ready(session, Clock.monotonicNanoseconds(), &effects) }
    }

    mutating func stopped() {
        load.deliver()
    }
}

extension Request {
    /// From when its latency counts. In a closed loop nobody wanted it before it was sent.
    @inline(__always)
    func due(inOpenLoop isOpenLoop: Bool) -> UInt64 { isOpenLoop ? due : sentAt }
}
