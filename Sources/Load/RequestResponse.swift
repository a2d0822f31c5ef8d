// RequestResponse: the closed-loop workload as a handler. A connection has up to `depth` requests
// under way; a response is complete when as many bytes have come back as were sent up to the
// request's end.

import Engine
import Measure
import Net
import Synchronization

/// The request-response workload of one worker.
struct RequestResponse: Handler, ~Copyable {
    static var produces: Bool { true }

    /// A request under way.
    private struct Request {
        /// The offset in the stream at which it ends.
        var end: UInt64
        var sentAt: UInt64
    }

    /// One connection of the plan.
    private struct Session {
        var connection: ConnectionID?
        var connectStarted: UInt64 = 0
        /// Bytes produced and bytes received: offsets in the keyed stream.
        var sent: UInt64 = 0
        var received: UInt64 = 0
        /// Bytes of the current request that are still to be produced.
        var rest = 0
        /// The requests under way: a ring of `depth`.
        var firstRequest = 0
        var requestCount = 0
        /// When bytes last came.
        var heardAt: UInt64 = 0
        var isFinishing = false
        var isFaulty = false
        /// The server finished first.
        var wasCutShort = false
        var isPaused = false
    }

    private let plan: LoadPlan
    private let control: LoadControl
    private let numbers: Range<Int>
    private let sessions: UnsafeMutablePointer<Session>
    private let requests: UnsafeMutablePointer<Request>
    // The session of each slot of the worker's table.
    private let sessionOfSlot: UnsafeMutablePointer<Int>
    private var nextToConnect = 0
    private var result = LoadResult()
    private var evidence: [Int: Evidence] = [:]
    private var random: SplitMix64
    private var isEnding = false
    // Sessions that do not read, by the moment at which they read on.
    private var resting: [(moment: UInt64, session: Int)] = []
    private var firstResting = 0

    /// Connects under way at once: fewer than any listener's queue holds.
    private static var connectsAtOnce: Int { 256 }

    init(_ plan: LoadPlan, worker: Int, control: LoadControl) {
        self.plan = plan
        self.control = control
        numbers = plan.connections(ofWorker: worker)
        sessions = .allocate(capacity: max(1, numbers.count))
        sessions.initialize(repeating: Session(), count: numbers.count)
        requests = .allocate(capacity: max(1, numbers.count * plan.depth))
        sessionOfSlot = .allocate(capacity: max(1, numbers.count))
        random = SplitMix64(seed: plan.seed &+ UInt64(worker) &* 0x9e37_79b9_7f4a_7c15)
    }

    deinit {
        sessions.deallocate()
        requests.deallocate()
        sessionOfSlot.deallocate()
    }

    private func stream(_ session: Int) -> KeyedStream {
        KeyedStream(connection: UInt32(numbers.lowerBound + session), key: plan.seed)
    }

    // ---- connecting ----

    mutating func started(_ effects: inout Effects) {
        for _ in 0..<min(RequestResponse.connectsAtOnce, numbers.count) { connectNext(&effects) }
    }

    private mutating func connectNext(_ effects: inout Effects) {
        guard nextToConnect < numbers.count, !isEnding else { return }
        sessions[nextToConnect].connectStarted = Clock.monotonicNanoseconds()
        effects.connect(to: 0, tag: UInt32(nextToConnect))
        nextToConnect += 1
    }

    mutating func opened(_ connection: ConnectionID, tag: UInt32, _ effects: inout Effects) {
        let session = Int(tag)
        let now = Clock.monotonicNanoseconds()
        result.connectLatency.record(now - sessions[session].connectStarted)
        sessionOfSlot[Int(connection.slot)] = session
        sessions[session].connection = connection
        control.settled.add(1, ordering: .relaxed)
        connectNext(&effects)
        if isEnding {
            end(session, &effects)
        } else {
            effects.produce(on: connection)
        }
    }

    mutating func connectFailed(tag: UInt32, _ error: Errno, _ effects: inout Effects) {
        if error == .connectionRefused {
            result.errors.refused += 1
        } else if error != .canceled {
            result.errors.connectFailed += 1
        }
        control.failed.add(1, ordering: .relaxed)
        control.settled.add(1, ordering: .relaxed)
        connectNext(&effects)
    }

    // ---- requests ----

    mutating func produce(
        into bytes: inout MutableRawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Int {
        let session = sessionOfSlot[Int(connection.slot)]
        let offset = sessions[session].sent
        let room = bytes.byteCount
        var now: UInt64 = 0
        var count = 0
        while count < room {
            if sessions[session].rest == 0 {
                guard !isEnding, sessions[session].requestCount < plan.depth else { break }
                if now == 0 { now = Clock.monotonicNanoseconds() }
                beginRequest(session, now)
            }
            let part = min(sessions[session].rest, room - count)
            sessions[session].rest -= part
            count += part
            sessions[session].sent += UInt64(part)
        }
        if plan.verifies { stream(session).fill(&bytes, count: count, from: offset) }
        if count == 0, isEnding { end(session, &effects) }
        return count
    }

    private mutating func beginRequest(_ session: Int, _ now: UInt64) {
        let size =
            plan.smallestSize == plan.largestSize
            ? plan.smallestSize
            : Int.random(in: plan.smallestSize...plan.largestSize, using: &random)
        var place = sessions[session].firstRequest + sessions[session].requestCount
        if place >= plan.depth { place -= plan.depth }
        let request = Request(end: sessions[session].sent + UInt64(size), sentAt: now)
        (requests + session * plan.depth + place).initialize(to: request)
        sessions[session].requestCount += 1
        sessions[session].rest = size
    }

    // ---- responses ----

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let session = sessionOfSlot[Int(connection.slot)]
        if plan.verifies, !verify(bytes, session) { return isJudged(session) ? .abort : .consume }
        sessions[session].received += UInt64(bytes.byteCount)
        let completed = completeRequests(session, byteCount: bytes.byteCount)
        if plan.readDelayNanoseconds > 0 { rest(session, &effects) }
        if isEnding {
            if sessions[session].requestCount == 0 { end(session, &effects) }
        } else if completed {
            effects.produce(on: connection)
        }
        return .consume
    }

    /// Completes every request whose response has come in full.
    private mutating func completeRequests(_ session: Int, byteCount: Int) -> Bool {
        guard sessions[session].requestCount > 0 else { return false }
        let now = Clock.monotonicNanoseconds()
        let isMeasured =
            now >= control.windowStart.load(ordering: .relaxed)
            && now < control.windowEnd.load(ordering: .relaxed)
        if isMeasured { result.bytes &+= UInt64(byteCount) }
        let oldest = requests[session * plan.depth + sessions[session].firstRequest].sentAt
        let silence = now &- max(sessions[session].heardAt, oldest)
        // A stall counts whenever it comes, also after the window, when only responses are awaited.
        result.longestSilenceNanoseconds = max(result.longestSilenceNanoseconds, silence)
        sessions[session].heardAt = now
        var completed = false
        while sessions[session].requestCount > 0 {
            let request = requests[session * plan.depth + sessions[session].firstRequest]
            guard request.end <= sessions[session].received else { break }
            completed = true
            sessions[session].firstRequest += 1
            if sessions[session].firstRequest == plan.depth { sessions[session].firstRequest = 0 }
            sessions[session].requestCount -= 1
            if isMeasured {
                result.messages &+= 1
                result.latency.record(now &- request.sentAt)
            }
        }
        return completed
    }

    // ---- verification ----

    /// Checks bytes; from a connection's first wrong byte on it only gathers evidence.
    private mutating func verify(_ bytes: RawSpan, _ session: Int) -> Bool {
        if sessions[session].isFaulty {
            evidence[session]?.add(bytes)
            sessions[session].received += UInt64(bytes.byteCount)
            return false
        }
        let offset = sessions[session].received
        let stream = stream(session)
        guard let wrong = stream.firstMismatch(in: bytes, from: offset) else {
            result.integrity.verifiedBytes += UInt64(bytes.byteCount)
            return true
        }
        result.integrity.verifiedBytes += UInt64(wrong)
        sessions[session].isFaulty = true
        sessions[session].received += UInt64(bytes.byteCount)
        var found = Evidence(stream: stream, offset: offset + UInt64(wrong))
        found.add(bytes.extracting(wrong..<bytes.byteCount))
        evidence[session] = found
        return false
    }

    /// Judges a fault once there is enough evidence. Bytes that are missing may still come.
    private mutating func isJudged(_ session: Int) -> Bool {
        guard let found = evidence[session], found.isTelling else { return false }
        let verdict = verdict(session, found)
        let hasAll = sessions[session].received >= sessions[session].sent
        guard verdict.lost == 0 || found.isFull || hasAll else { return false }
        result.integrity.add(verdict)
        evidence[session] = nil
        return true
    }

    private func verdict(_ session: Int, _ found: Evidence) -> Integrity {
        let cost = sessions[session].received - found.offset
        return found.judge(byteCount: cost, key: plan.seed) { number in
            guard Int(number) < plan.connections else { return nil }
            // What other workers have sent is not known here; no run sends 2^36 bytes a connection.
            guard numbers.contains(Int(number)) else { return 1 << 36 }
            return sessions[Int(number) - numbers.lowerBound].sent
        }
    }

    // ---- slow reading ----

    private mutating func rest(_ session: Int, _ effects: inout Effects) {
        guard let connection = sessions[session].connection, !sessions[session].isPaused else {
            return
        }
        sessions[session].isPaused = true
        effects.pause(connection)
        resting.append((effects.now + plan.readDelayNanoseconds, session))
        effects.wake(at: resting[firstResting].moment)
    }

    private mutating func wakeResting(_ effects: inout Effects) {
        while firstResting < resting.count, resting[firstResting].moment <= effects.now {
            let session = resting[firstResting].session
            firstResting += 1
            sessions[session].isPaused = false
            if let connection = sessions[session].connection { effects.resume(connection) }
        }
        if firstResting == resting.count {
            resting.removeAll(keepingCapacity: true)
            firstResting = 0
        } else {
            effects.wake(at: resting[firstResting].moment)
        }
    }

    // ---- ending ----

    mutating func woke(_ effects: inout Effects) {
        wakeResting(&effects)
        guard !isEnding, control.isEnding.load(ordering: .acquiring) else { return }
        isEnding = true
        for session in 0..<numbers.count { end(session, &effects) }
    }

    /// Sends FIN when the last request has been handed over, or when the last response has come.
    private mutating func end(_ session: Int, _ effects: inout Effects) {
        guard let connection = sessions[session].connection, !sessions[session].isFinishing,
            sessions[session].rest == 0,
            plan.halfCloses || sessions[session].requestCount == 0 || sessions[session].isFaulty
        else { return }
        sessions[session].isFinishing = true
        effects.finish(connection)
    }

    mutating func peerFinished(_ connection: ConnectionID, _ effects: inout Effects) {
        let session = sessionOfSlot[Int(connection.slot)]
        if !sessions[session].isFinishing {
            // At the end of a run it is the worker's stop that the server answers.
            if !isEnding {
                result.errors.closedEarly += 1
                sessions[session].wasCutShort = true
            }
            sessions[session].isFinishing = true
            effects.finish(connection)
        }
    }

    mutating func closed(
        _ connection: ConnectionID,
        _ end: ConnectionEnd,
        _ effects: inout Effects
    ) {
        let session = sessionOfSlot[Int(connection.slot)]
        if end.termination.isBreakage { result.errors.reset += 1 }
        account(session, isWhole: !end.termination.isBreakage && !sessions[session].wasCutShort)
        sessions[session].connection = nil
        control.ended.add(1, ordering: .relaxed)
    }

    /// What a connection owes when it ends.
    ///
    /// - Parameter isWhole: whether it lasted until this side had finished. Only then are missing
    ///   bytes the server's loss; otherwise their requests are merely unanswered.
    private mutating func account(_ session: Int, isWhole: Bool) {
        if let found = evidence.removeValue(forKey: session) {
            result.integrity.add(verdict(session, found))
        }
        guard !sessions[session].isFaulty else { return }
        result.errors.unanswered += UInt64(sessions[session].requestCount)
        if plan.verifies, isWhole, sessions[session].received < sessions[session].sent {
            let missing = sessions[session].sent - sessions[session].received
            result.integrity.lost += missing
            let fault =
                "connection \(numbers.lowerBound + session), offset "
                + "\(sessions[session].received): the last \(missing) bytes are missing"
            result.integrity.firstFault = result.integrity.firstFault ?? fault
        }
    }

    mutating func stopped() {
        control.result.withLock { $0.add(result) }
    }
}

extension Termination {
    /// Whether the connection broke, rather than being ended by one of its sides.
    fileprivate var isBreakage: Bool {
        switch self {
        case .peerReset, .keepalive, .userTimeout, .error: true
        default: false
        }
    }
}

/// The generator SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same for the same seed.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
