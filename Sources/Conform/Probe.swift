// Probe: what a case works with: connections to the server, streams that no other connection has,
// a deadline, and comments for the report.

import Net

/// The server as one case sees it.
struct Probe {
    let target: SocketAddress
    /// Connections at once that the descriptor limit allows.
    let connectionsMax: Int
    let deadline: UInt64
    let key: UInt64
    /// The next stream's number.
    var streams: UInt32
    /// Said in the report, whatever the outcome.
    var comments: [String] = []

    /// A connection that has `byteCount` bytes to send.
    mutating func connect(
        sending byteCount: Int,
        reading: Flow.Reading = .atOnce,
        ending: Flow.Ending = .staysOpen,
        _ manner: Client.Manner = Client.Manner()
    ) throws(Finding) -> Flow {
        let client: Client
        do throws(Trouble) {
            client = try Client(target, manner, until: deadline)
        } catch {
            throw Finding(.unreachable, expected: "a connection", found: error.words)
        }
        let stream = KeyedBytes(number: streams, key: key)
        streams += 1
        return Flow(client, stream, total: byteCount, reading: reading, ending: ending)
    }

    /// Several connections open at once, all served: a byte went and came on each. One after the
    /// other, since how long a server's queue for new connections is does not matter here; where it
    /// overflows, a connect waits a second and more for the kernel's next SYN.
    mutating func connectMany(
        _ count: Int,
        ending: Flow.Ending = .staysOpen
    ) throws(Finding) -> [Flow] {
        var flows: [Flow] = []
        for _ in 0..<count {
            let flow = try connect(sending: 1)
            try exchange(flow)
            flow.ending = ending
            flows.append(flow)
        }
        return flows
    }

    /// Runs exchanges at the same time.
    func exchange(_ flows: Flow..., before end: UInt64? = nil) throws(Finding) {
        try exchange(flows, before: end)
    }

    /// Runs exchanges at the same time.
    func exchange(_ flows: [Flow], before end: UInt64? = nil) throws(Finding) {
        let end = min(end ?? deadline, deadline)
        var exchange = Exchange(streams: streams, deadline: end)
        try exchange.run(flows)
    }

    /// A small echo on a connection of its own: the server still serves.
    mutating func expectService(_ occasion: String) throws(Finding) {
        do throws(Finding) {
            try exchange(try connect(sending: 1000), before: soon(2000))
        } catch {
            throw Finding(
                error.fault,
                expected: "a new connection is served \(occasion)",
                found: error.found,
                offset: error.offset
            )
        }
    }

    /// Nothing must happen on a connection for a while.
    func expectQuiet(_ flow: Flow, milliseconds: UInt64) throws(Finding) {
        guard flow.client.wait(for: .readable, until: soon(milliseconds)) else { return }
        var byte: [UInt8] = [0]
        let expected = "\(milliseconds) ms of silence on an idle connection"
        switch byte.withUnsafeMutableBytes({ flow.client.receive(into: $0) }) {
        case .bytes: throw Finding(.surplus, expected: expected, found: "a byte nobody sent")
        case .end: throw Finding(.closedFirst, expected: expected, found: "FIN from the server")
        case .trouble(let trouble):
            let fault: Fault = trouble == .reset ? .reset : .silent
            throw Finding(fault, expected: expected, found: trouble.words)
        case .nothingYet: return
        }
    }

    /// Sends without reading until the server takes no more.
    ///
    /// - Returns: whether it has stopped before `byteCount`; the flow then ends where it is.
    func flood(_ flow: Flow, atMost byteCount: Int) throws(Finding) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65536)
        while flow.sent < byteCount {
            let now = Clock.monotonicNanoseconds()
            guard now < deadline else { throw undecided(flow) }
            bytes.withUnsafeMutableBytes { flow.stream.fill($0, from: flow.sent) }
            switch bytes.withUnsafeBytes({ flow.client.send($0) }) {
            case .bytes(let count): flow.sent += count
            case .noRoom:
                let until = now + Exchange.jamNanoseconds
                if flow.client.wait(for: .writable, until: min(until, deadline)) { continue }
                guard until <= deadline else { throw undecided(flow) }
                flow.total = flow.sent
                return true
            case .trouble(let trouble):
                throw Finding(
                    trouble == .reset ? .reset : .silent,
                    expected: "a client that does not read yet is held back, not cut",
                    found: "\(trouble.words) after \(flow.sent) bytes sent",
                    offset: flow.sent
                )
            }
        }
        flow.total = flow.sent
        return false
    }

    /// A flood that neither jams nor gets through says nothing of the server but that it is slow.
    private func undecided(_ flow: Flow) -> Finding {
        Finding(
            .slow,
            expected: "a client that does not read is held back in time",
            found: "\(flow.sent) bytes were taken, and the time was over; give more with --timeout",
            offset: flow.sent
        )
    }

    /// A moment in so many milliseconds, or the deadline where that is sooner.
    func soon(_ milliseconds: UInt64) -> UInt64 {
        min(
            deadline,
            Clock.monotonicNanoseconds() + milliseconds * .nanosecondsPerMillisecond
        )
    }
}
