// Exchange: bytes out and back on one connection or on many at the same time, checked as they come.
// One thread, poll(2), and a deadline; how each side of a connection behaves is set by its flow.

import Net

/// One connection's part of an exchange.
final class Flow {
    /// When the client reads.
    enum Reading {
        case atOnce
        /// Not before its FIN was sent. A server may stop reading from a client that does not read,
        /// so a client that cannot send for a while sends its FIN where it is.
        case afterFinish(pauseNanoseconds: UInt64)
        /// So many bytes at a time with a pause after each, and none while more can be sent: a
        /// client that sends no faster than it reads presses no server.
        case slowly(byteCount: Int, pauseNanoseconds: UInt64)
    }

    /// What the client does after its last byte.
    enum Ending {
        case staysOpen
        /// FIN, as a segment of its own or with the last byte as the kernel likes.
        case finishes
    }

    let client: Client
    let stream: KeyedBytes
    /// Bytes to send.
    var total: Int
    var reading: Reading
    var ending: Ending
    /// The most bytes of one send.
    var sendBytesMax = 65536

    var sent = 0
    var received = 0
    /// Our FIN is sent.
    var hasFinished = false
    /// The server's FIN has come.
    var hasEnded = false
    var finding: Finding?

    fileprivate var progressAt: UInt64 = 0
    fileprivate var receivedAt: UInt64 = 0
    fileprivate var readsAgainAt: UInt64 = 0

    init(
        _ client: Client,
        _ stream: KeyedBytes,
        total: Int,
        reading: Reading = .atOnce,
        ending: Ending = .staysOpen
    ) {
        self.client = client
        self.stream = stream
        self.total = total
        self.reading = reading
        self.ending = ending
    }

    /// A further exchange on the same connection.
    func extend(by byteCount: Int) { total += byteCount }

    fileprivate var isDone: Bool {
        finding != nil
            || (sent == total && received == total && (ending == .staysOpen || hasEnded))
    }

    fileprivate var maySend: Bool { finding == nil && sent < total }

    fileprivate var readsSlowly: Bool {
        if case .slowly = reading { return true }
        return false
    }

    fileprivate func mayRead(at now: UInt64) -> Bool {
        guard !hasEnded else { return false }
        if case .afterFinish = reading, !hasFinished { return false }
        return now >= readsAgainAt
    }
}

/// Runs flows to their end.
struct Exchange {
    /// How many streams there have been in this run.
    let streams: UInt32
    /// When it ends, whatever has come by then.
    private var end: UInt64

    private static let bufferBytes = 65536
    /// A client that could send nothing for so long is held back by the server.
    static let jamNanoseconds: UInt64 = 300 * .nanosecondsPerMillisecond
    /// After the first fault the others go on for so long: a byte that is missing in one connection
    /// may come in another, and then the fault is a worse one.
    private static let graceNanoseconds: UInt64 = 300 * .nanosecondsPerMillisecond

    init(streams: UInt32, deadline: UInt64) {
        self.streams = streams
        end = deadline
    }

    /// Runs the flows until each is done or the deadline has come.
    mutating func run(_ flows: [Flow]) throws(Finding) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Exchange.bufferBytes,
            alignment: 8
        )
        defer { buffer.deallocate() }
        let start = Clock.monotonicNanoseconds()
        var isLate = false
        for flow in flows { flow.progressAt = start }
        while true {
            let now = Clock.monotonicNanoseconds()
            for flow in flows where flow.finding == nil { finishIfDue(flow, now) }
            let open = flows.filter { !$0.isDone }
            if open.isEmpty { break }
            if now >= end {
                isLate = true
                break
            }
            step(open, buffer, now)
            if flows.contains(where: { $0.finding != nil }) { endSoon(now) }
        }
        let findings = flows.compactMap(\.finding)
        if let worst = findings.first(where: { $0.fault == .mixed }) ?? findings.first {
            throw worst
        }
        if isLate, let flow = flows.first(where: { !$0.isDone }) { throw late(flow, since: start) }
    }

    private mutating func endSoon(_ now: UInt64) {
        end = min(end, now + Exchange.graceNanoseconds)
    }

    private mutating func step(
        _ flows: [Flow],
        _ buffer: UnsafeMutableRawBufferPointer,
        _ now: UInt64
    ) {
        var waits: [(Client, Interest)] = []
        var until = end
        for flow in flows {
            var interest: Interest = []
            if flow.maySend { interest.insert(.writable) }
            if flow.mayRead(at: now) { interest.insert(.readable) }
            if flow.readsAgainAt > now { until = min(until, flow.readsAgainAt) }
            if case .afterFinish = flow.reading, !flow.hasFinished {
                until = min(until, flow.progressAt + Exchange.jamNanoseconds)
            }
            waits.append((flow.client, interest))
        }
        let ready = Client.wait(for: waits, until: until)
        let moment = Clock.monotonicNanoseconds()
        for (index, flow) in flows.enumerated() where ready[index] {
            while flow.maySend, send(flow, buffer, moment), flow.readsSlowly {}
            if flow.finding == nil, flow.mayRead(at: moment) { receive(flow, buffer, moment) }
        }
    }

    // ---- sending ----

    /// - Returns: whether the kernel took all that it was given, and may take more.
    private func send(
        _ flow: Flow,
        _ buffer: UnsafeMutableRawBufferPointer,
        _ now: UInt64
    ) -> Bool {
        let room = min(flow.total - flow.sent, flow.sendBytesMax, buffer.count)
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<room])
        flow.stream.fill(bytes, from: flow.sent)
        switch flow.client.send(UnsafeRawBufferPointer(bytes)) {
        case .bytes(let count):
            flow.sent += count
            flow.progressAt = now
            return count == room
        case .noRoom: return false
        case .trouble(let trouble):
            flow.finding = broken(flow, trouble)
            return false
        }
    }

    private func finishIfDue(_ flow: Flow, _ now: UInt64) {
        guard case .finishes = flow.ending, !flow.hasFinished else { return }
        if case .afterFinish = flow.reading, now >= flow.progressAt + Exchange.jamNanoseconds {
            flow.total = flow.sent
        }
        guard flow.sent == flow.total else { return }
        flow.client.finish()
        flow.hasFinished = true
        if case .afterFinish(let pause) = flow.reading { flow.readsAgainAt = now + pause }
    }

    // ---- receiving ----

    private mutating func receive(
        _ flow: Flow,
        _ buffer: UnsafeMutableRawBufferPointer,
        _ now: UInt64
    ) {
        var room = buffer
        if case .slowly(let byteCount, let pause) = flow.reading {
            room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(byteCount, buffer.count)])
            flow.readsAgainAt = now + pause
        }
        switch flow.client.receive(into: room) {
        case .bytes(let count):
            flow.progressAt = now
            flow.receivedAt = now
            check(flow, UnsafeRawBufferPointer(rebasing: room[..<count]))
        case .nothingYet: break
        case .end: ended(flow)
        case .trouble(let trouble): flow.finding = broken(flow, trouble)
        }
    }

    private mutating func check(_ flow: Flow, _ bytes: UnsafeRawBufferPointer) {
        if let index = flow.stream.firstMismatch(in: bytes, from: flow.received) {
            endSoon(Clock.monotonicNanoseconds())
            var evidence = Array(bytes[index...])
            gather(&evidence, flow.client)
            flow.finding = Finding(
                wrong: evidence,
                at: flow.received + index,
                in: flow.stream,
                sent: flow.sent,
                streams: streams
            )
            return
        }
        flow.received += bytes.count
        if flow.received > flow.sent {
            flow.finding = Finding(
                .surplus,
                expected: "\(flow.sent) bytes, as many as were sent",
                found: "\(flow.received) bytes",
                offset: flow.sent
            )
        }
    }

    /// Takes what comes within a moment: whether bytes are lost or only late is seen behind them.
    /// All flows share the time after the first fault, however many have one.
    private func gather(_ evidence: inout [UInt8], _ client: Client) {
        let now = Clock.monotonicNanoseconds()
        let until = min(end, now + 100 * .nanosecondsPerMillisecond)
        var part = [UInt8](repeating: 0, count: 65536)
        while evidence.count < 262_144, client.wait(for: .readable, until: until) {
            guard case .bytes(let count) = part.withUnsafeMutableBytes({ client.receive(into: $0) })
            else { return }
            evidence += part[..<count]
        }
    }

    private func ended(_ flow: Flow) {
        flow.hasEnded = true
        if !flow.hasFinished {
            flow.finding = Finding(
                .closedFirst,
                expected: "a connection that stays open until the client ends it",
                found: "FIN from the server after \(flow.received) of \(flow.total) bytes",
                offset: flow.received
            )
        } else if flow.received < flow.total {
            flow.finding = Finding(
                .tailLost,
                expected:
                    "all \(flow.total) bytes that were sent before the client's FIN, then FIN",
                found: "FIN after \(flow.received) bytes: the last "
                    + "\(flow.total - flow.received) bytes are lost",
                offset: flow.received
            )
        }
    }

    // ---- words ----

    private func broken(_ flow: Flow, _ trouble: Trouble) -> Finding {
        Finding(
            trouble == .reset ? .reset : .silent,
            expected: flow.hasFinished
                ? "\(flow.total) bytes, then FIN" : "\(flow.total) bytes back",
            found: "\(trouble.words) after \(flow.sent) bytes sent and \(flow.received) received",
            offset: flow.received
        )
    }

    private func late(_ flow: Flow, since start: UInt64) -> Finding {
        let wantsFinish = flow.received == flow.total && flow.hasFinished
        let now = Clock.monotonicNanoseconds()
        let isSlow =
            !wantsFinish
            && now - flow.receivedAt < min(.nanosecondsPerSecond, (now - start) / 2)
        return Finding(
            isSlow ? .slow : .silent,
            expected: wantsFinish
                ? "FIN from the server after the client's FIN" : "\(flow.total) bytes back in time",
            found: "\(flow.sent) bytes sent, \(flow.received) received, "
                + (wantsFinish
                    ? "and no FIN"
                    : isSlow ? "and the time was over" : "then nothing more in time"),
            offset: flow.received
        )
    }
}

extension Trouble {
    /// For people.
    public var words: String {
        switch self {
        case .refused: "connection refused"
        case .timedOut: "no answer in time"
        case .reset: "RST from the server"
        case .failed(let code): "\(code)"
        }
    }
}
