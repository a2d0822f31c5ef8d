// A run of one cell of the fault matrix: clients that know what they must get back, and what the
// server says when it ends.

import Foundation
import Net
import Support

/// What was wrong with a cell.
struct FaultTrouble: Error, CustomStringConvertible {
    let description: String
}

/// What a client got.
enum FaultOutcome: Hashable {
    /// All its bytes, and FIN.
    case exact
    /// All its bytes, and nothing more.
    case open
    /// RST, and before it nothing that was wrong.
    case reset
    /// Anything else.
    case wrong(String)
}

/// A client that sends its bytes in two parts and FIN, while it receives.
private final class FaultClient: Sendable {
    private let client: TestClient
    private let bytes: [UInt8]
    private let readsLate: Bool
    private let sender: Net.Thread
    private let wasReset = Tally()

    private static let block = randomBytes(65536, seed: 11)

    /// One that reads late sends more than the kernel keeps for both sides.
    init(_ address: SocketAddress, number: Int, readsLate: Bool) throws {
        let client = try TestClient(
            address,
            timeoutSeconds: readsLate ? 20 : 2,
            receiveBufferBytes: readsLate ? 4096 : nil
        )
        // Each begins elsewhere in the block, so that no two have the same bytes in one place.
        let blocks = readsLate ? 128 : 1
        let all = (0..<blocks).flatMap { _ in FaultClient.block }
        let bytes = Array(all.dropFirst(number * 1001).prefix(readsLate ? all.count : 3000))
        let count = bytes.count
        sender = try Net.Thread(name: "sender") { [wasReset] in
            do {
                try client.send(Array(bytes[..<(count / 2)]))
                usleep(10_000)
                try client.send(Array(bytes[(count / 2)...]))
            } catch {
                if [ECONNRESET, EPIPE].contains((error as? TestClient.CallFailed)?.code) {
                    wasReset.count()
                }
            }
            client.finish()
        }
        self.client = client
        self.bytes = bytes
        self.readsLate = readsLate
    }

    func outcome() -> FaultOutcome {
        var received: [UInt8] = []
        var failure: Int32?
        if readsLate { usleep(200_000) }
        do {
            while true {
                let part = try client.receive()
                if part.isEmpty { break }
                received += part
            }
        } catch {
            failure = (error as? TestClient.CallFailed)?.code
        }
        // Whichever call comes first after an RST has its error.
        sender.join()
        if failure == nil, wasReset.total > 0 { failure = ECONNRESET }
        guard received.count <= bytes.count, memcmp(received, bytes, received.count) == 0 else {
            return .wrong("foreign bytes")
        }
        switch failure {
        case nil where received.count == bytes.count: return .exact
        case EAGAIN where received.count == bytes.count: return .open
        case ECONNRESET, EPIPE: return .reset
        case let code:
            let how = code == nil ? "FIN" : code == EAGAIN ? "nothing" : "errno \(code ?? 0)"
            return .wrong("\(how) after \(received.count) of \(bytes.count) bytes")
        }
    }
}

/// Runs a cell.
struct FaultRun {
    let cell: FaultCell
    private let server: FaultyServer

    private static let clientCount = 12
    /// More than any cell needs, and far less than a loop makes that does not wait.
    private static let callsMax = 5000

    init(_ cell: FaultCell, skipping skipped: Int) throws {
        self.cell = cell
        server = try FaultyServer(cell, skipping: skipped)
    }

    /// What came of it.
    func verdict() throws -> FaultVerdict {
        var outcomes: [FaultOutcome] = []
        if let address = try server.address() {
            if !cell.row.readsLate { _ = servesTurns(address) }
            outcomes = clients(address).map { $0.outcome() }
            // Where every one of a few was broken, it must serve others all the same.
            if Set(outcomes) == [.reset], servesTurns(address) { outcomes.append(.exact) }
            server.program.signal(SIGTERM)
        }
        let ended = try server.end()
        let calls = server.calls
        guard calls.all < FaultRun.callsMax else { throw FaultTrouble(description: "it spins") }
        if ended.status != 0 { return try verdict(onExit: ended) }
        if let trouble = trouble(outcomes) { throw FaultTrouble(description: trouble) }
        if calls.injected == 0 { return .unreached }
        if outcomes.contains(.reset) { return .breaksSome }
        if outcomes.contains(.open) { return .leavesOpen }
        return ended.errors.contains("by epoll, since") ? .fallsBack : .exact
    }

    /// One line, the program's, and status 1.
    private func verdict(onExit ended: Ended) throws -> FaultVerdict {
        let lines = ended.errorLines.filter { !$0.contains(" info ringback: ") }
        guard ended.status == 1, lines.count == 1, lines[0].hasPrefix("ringback: ") else {
            throw FaultTrouble(description: "status \(ended.status): \(ended.errors)")
        }
        return .exits
    }

    private func trouble(_ outcomes: [FaultOutcome]) -> String? {
        for outcome in outcomes {
            switch outcome {
            case .exact: continue
            case .open where cell.harm == .staysOpen: continue
            case .reset where cell.harm == .breaks: continue
            default: return "a client got \(outcome)"
            }
        }
        guard outcomes.count >= FaultRun.count(for: cell) else { return "some did not connect" }
        return outcomes.contains(.exact) ? nil : "nobody was served exactly"
    }

    /// Several turns of the loop, each with a message of its own, so that calls are made often.
    /// Whether one client of eight had them all: a fault may break the others.
    private func servesTurns(_ address: SocketAddress) -> Bool {
        for _ in 0..<8 {
            guard let client = try? TestClient(address, timeoutSeconds: 1) else { return false }
            var turns = 0
            while turns < 8, (try? client.send([1, 2, 3])) != nil,
                (try? client.receive(exactly: 3)) == [1, 2, 3]
            {
                turns += 1
            }
            if turns == 8 { return true }
        }
        return false
    }

    private static func count(for cell: FaultCell) -> Int {
        cell.row.readsLate ? 2 : clientCount
    }

    private func clients(_ address: SocketAddress) -> [FaultClient] {
        (0..<FaultRun.count(for: cell)).compactMap {
            try? FaultClient(address, number: $0, readsLate: cell.row.readsLate)
        }
    }
}
