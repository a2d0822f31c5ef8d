// The cases about bytes: each comes back once, unchanged and in order, however they are cut, and
// however slowly the client reads.

import Glibc
import Net

extension Suite {
    static let echoCases: [Case] = [
        echo("echo-1", 1),
        echo("echo-100", 100),
        echo("echo-4k", 4096),
        echo("echo-64k", 65537),
        echo("echo-1m", 1 << 20),
        echo("echo-8m", 8 << 20),
        Case("turns", "E2", "500 requests of 1 to 1000 bytes, each after the last one's echo") {
            probe throws(Finding) in
            let flow = try probe.connect(sending: 0)
            for round in 0..<500 {
                flow.extend(by: 1 + (round * 37) % 1000)
                try probe.exchange(flow)
            }
        },
        Case("single-bytes", "E2", "20000 bytes, each in a send of its own, all come back") {
            probe throws(Finding) in
            let flow = try probe.connect(sending: 20000)
            flow.sendBytesMax = 1
            try probe.exchange(flow)
        },
        Case("odd-sends", "E2", "1 MB in sends of 1237 bytes comes back in order") {
            probe throws(Finding) in
            let flow = try probe.connect(sending: 1_000_000)
            flow.sendBytesMax = 1237
            try probe.exchange(flow)
        },
        Case(
            "slow-reader",
            "E2 E3",
            "a flood comes back in order to a client that reads slowly",
            pausing: 800
        ) { probe throws(Finding) in
            let flow = try probe.connect(
                // More than both kernels buffer (tcp_wmem, tcp_rmem): the server has to wait too.
                sending: 16 << 20,
                reading: .slowly(byteCount: 65536, pauseNanoseconds: 2_000_000),
                .smallWindow
            )
            try probe.exchange(flow)
        },
        Case(
            "late-reader",
            "E3 E16",
            "what jammed at a closed window comes once it opens",
            pausing: 600
        ) { probe throws(Finding) in
            let flow = try probe.connect(sending: 0, .smallWindow)
            _ = try probe.flood(flow, atMost: 16 << 20)
            usleep(300_000)
            try probe.exchange(flow)
        },
        Case(
            "fast-open",
            "E16",
            "bytes sent with the SYN come back, or those after an ordinary one"
        ) {
            probe throws(Finding) in
            // The first connection fetches the cookie that the second one needs.
            for _ in 0..<2 {
                let flow = try probe.connect(sending: 500, Client.Manner(asksFastOpen: true))
                try probe.exchange(flow)
                if flow.client.sentDataInSYN {
                    probe.comments.append("the server takes data in the SYN")
                }
            }
        },
        Case(
            "urgent-byte",
            "E15",
            "an urgent byte may be echoed or dropped; those around it come back",
            pausing: 200
        ) { probe throws(Finding) in probe.comments.append(try urgentByte(&probe)) },
    ]

    private static func echo(_ name: String, _ byteCount: Int) -> Case {
        Case(name, "E2", "\(byteCount) bytes come back while more are sent") {
            probe throws(Finding) in
            try probe.exchange(try probe.connect(sending: byteCount))
        }
    }

    /// Sends `abc`, an urgent `!` and `def`, and reads what comes.
    ///
    /// - Returns: what became of the urgent byte.
    private static func urgentByte(_ probe: inout Probe) throws(Finding) -> String {
        let client = try probe.connect(sending: 0).client
        _ = client.send(Array("abc".utf8), flags: 0)
        _ = client.send(Array("!".utf8), flags: Int32(MSG_OOB))
        _ = client.send(Array("def".utf8), flags: 0)
        let expected = "abcdef, with the urgent ! after the c or without it"
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64)
        var fault = Fault.silent
        var found = "nothing more in time"
        // Seven bytes are all there can be; six are waited on, as the seventh may be dropped.
        while answer.count < 7 {
            let end = answer.count < 6 ? probe.deadline : probe.soon(200)
            guard client.wait(for: .readable, until: end) else { break }
            switch part.withUnsafeMutableBytes({ client.receive(into: $0) }) {
            case .bytes(let count):
                answer += part[..<count]
                continue
            case .nothingYet: continue
            case .end: (fault, found) = (.closedFirst, "FIN from the server")
            case .trouble(let trouble):
                (fault, found) = (trouble == .reset ? .reset : .silent, trouble.words)
            }
            throw Finding(fault, expected: expected, found: "\(found) after \(answer.count) bytes")
        }
        if answer == Array("abc!def".utf8) {
            return "the urgent byte is echoed in its place, as ordinary data"
        }
        if answer == Array("abcdef".utf8) { return "the urgent byte is dropped" }
        if answer.count >= 6 { (fault, found) = (.altered, "other bytes") }
        throw Finding(fault, expected: expected, found: "\(found): the bytes \(answer)")
    }
}
