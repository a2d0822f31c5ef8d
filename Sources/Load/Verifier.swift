// Verifier: checks what comes back against the keyed streams. From a connection's first wrong byte
// on it gathers evidence, until it can be said whose the bytes are.

import Engine

/// What the bytes of a receive turned out to be.
enum Checked {
    case right
    /// Wrong, or behind something wrong; more evidence is wanted.
    case suspect
    /// Wrong, and all that can be said of it has been said.
    case judged
}

/// The verification of one worker's connections.
struct Verifier {
    private let key: UInt64
    private let connections: Int
    private var evidence: [Int: Evidence] = [:]

    /// - Parameters:
    ///   - key: the key of the run.
    ///   - connections: sessions of all workers together.
    init(key: UInt64, connections: Int) {
        self.key = key
        self.connections = connections
    }

    /// The stream of a session.
    @inline(__always)
    func stream(_ session: Int, _ sessions: borrowing SessionTable) -> KeyedStream {
        KeyedStream(connection: UInt32(sessions.numbers.lowerBound + session), key: key)
    }

    /// Checks received bytes, and counts them as received by the session.
    mutating func check(
        _ bytes: RawSpan,
        _ session: Int,
        _ sessions: inout SessionTable,
        _ integrity: inout Integrity
    ) -> Checked {
        let offset = sessions[session].received
        sessions[session].received += UInt64(bytes.byteCount)
        if sessions[session].flags.contains(.faulty) {
            evidence[session]?.add(bytes)
            return judge(session, sessions, &integrity)
        }
        let stream = stream(session, sessions)
        guard let wrong = stream.firstMismatch(in: bytes, from: offset) else {
            integrity.verifiedBytes += UInt64(bytes.byteCount)
            return .right
        }
        integrity.verifiedBytes += UInt64(wrong)
        sessions[session].flags.insert(.faulty)
        var found = Evidence(stream: stream, offset: offset + UInt64(wrong))
        found.add(bytes.extracting(wrong..<bytes.byteCount))
        evidence[session] = found
        return judge(session, sessions, &integrity)
    }

    /// Judges a fault once there is enough evidence. Bytes that are missing may still come.
    private mutating func judge(
        _ session: Int,
        _ sessions: borrowing SessionTable,
        _ integrity: inout Integrity
    ) -> Checked {
        guard let found = evidence[session], found.isTelling else { return .suspect }
        let verdict = verdict(session, found, sessions)
        let hasAll = sessions[session].received >= sessions[session].sent
        guard verdict.lost == 0 || found.isFull || hasAll else { return .suspect }
        integrity.add(verdict)
        evidence[session] = nil
        return .judged
    }

    private func verdict(
        _ session: Int,
        _ found: Evidence,
        _ sessions: borrowing SessionTable
    ) -> Integrity {
        let cost = sessions[session].received - found.offset
        return found.judge(byteCount: cost, key: key) { number in
            guard Int(number) < connections else { return nil }
            // What other workers have sent is not known here; no run sends 2^36 bytes a connection.
            guard sessions.numbers.contains(Int(number)) else { return 1 << 36 }
            return sessions[Int(number) - sessions.numbers.lowerBound].sent
        }
    }

    /// Settles a session whose connection has ended: what is still missing is lost.
    ///
    /// - Parameter isWhole: whether it lasted until this side had finished. Only then are missing
    ///   bytes the server's loss; otherwise their requests are merely unanswered.
    mutating func settle(
        _ session: Int,
        isWhole: Bool,
        _ sessions: borrowing SessionTable,
        _ integrity: inout Integrity
    ) {
        if let found = evidence.removeValue(forKey: session) {
            integrity.add(verdict(session, found, sessions))
        }
        guard isWhole, !sessions[session].flags.contains(.faulty),
            sessions[session].received < sessions[session].sent
        else { return }
        let missing = sessions[session].sent - sessions[session].received
        integrity.lost += missing
        let fault =
            "connection \(sessions.numbers.lowerBound + session), offset "
            + "\(sessions[session].received): the last \(missing) bytes are missing"
        integrity.firstFault = integrity.firstFault ?? fault
    }
}
