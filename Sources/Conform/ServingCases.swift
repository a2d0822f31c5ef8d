// The cases about several clients: none gets another's bytes, none is kept waiting by another, and
// none that breaks off takes the server with it.

import Glibc
import Net

extension Suite {
    static let servingCases: [Case] = [
        Case("many-at-once", "E2", "256 connections at once, each gets its own bytes back") {
            probe throws(Finding) in
            let count = min(256, probe.connectionsMax)
            if count < 256 {
                probe.comments.append("\(count) connections: the descriptor limit allows no more")
            }
            let flows = try probe.connectMany(count)
            for flow in flows {
                flow.extend(by: 20_000)
                flow.sendBytesMax = 1000
            }
            try probe.exchange(flows)
        },
        Case(
            "unread-is-bounded",
            "E3",
            "a client that never reads is held back in the end",
            pausing: 300
        ) { probe throws(Finding) in
            let flow = try probe.connect(sending: 0, .smallWindow)
            if try probe.flood(flow, atMost: unreadBytesMax) {
                probe.comments.append("held back after \(flow.sent) bytes")
                return
            }
            throw Finding(
                .unlimited,
                expected: "a client that never reads can send less than \(unreadBytesMax) bytes",
                found: "the server took them all, and goes on taking",
                offset: flow.sent
            )
        },
        Case(
            "unread-stops-nobody",
            "E3",
            "others are served while a client does not read",
            pausing: 300
        ) { probe throws(Finding) in
            let jammed = try probe.connect(sending: 0, .smallWindow)
            _ = try probe.flood(jammed, atMost: unreadBytesMax)
            // Several, since a server may have several workers, of which one may be stuck.
            for _ in 0..<16 { try probe.expectService("while another client does not read") }
            let other = try probe.connect(sending: 1 << 20)
            try probe.exchange(other)
        },
        Case("reset-mid-echo", "E4", "50 clients reset in mid-echo; the server goes on serving") {
            probe throws(Finding) in
            for round in 0..<50 { try reset(&probe, round) }
            try probe.expectService("after 50 resets")
        },
        Case("close-unread", "E4 E5", "20 clients close with the echo unread; it goes on serving") {
            probe throws(Finding) in
            for round in 0..<20 {
                let flow = try probe.connectMany(1)[0]
                try sendOnce(flow)
                // With the echo's begin unread the close sends RST, without it FIN.
                if round % 2 == 0 {
                    _ = flow.client.wait(for: .readable, until: probe.soon(1000))
                }
            }
            try probe.expectService("after that")
        },
        Case("churn", "E4 E10", "500 times connect, echo, close") { probe throws(Finding) in
            for round in 0..<500 {
                // Every other client waits for the server's FIN, the rest just close.
                let ending: Flow.Ending = round % 2 == 0 ? .finishes : .staysOpen
                try probe.exchange(try probe.connect(sending: 64, ending: ending))
            }
        },
        Case("serves-on", "E4", "after all of this a new connection is served") {
            probe throws(Finding) in try probe.expectService("at the end")
        },
    ]

    /// What the kernel buffers of both sides (tcp_rmem, tcp_wmem) and a bounded server may take
    /// together. Usual kernels take less than half of it.
    private static let unreadBytesMax = 96 << 20

    /// Sends once, without looking at the answer.
    private static func sendOnce(_ flow: Flow) throws(Finding) {
        var bytes = [UInt8](repeating: 0, count: 65536)
        bytes.withUnsafeMutableBytes { flow.stream.fill($0, from: flow.sent) }
        guard case .bytes = bytes.withUnsafeBytes({ flow.client.send($0) }) else {
            throw Finding(.reset, expected: "a connection", found: "one that takes no bytes")
        }
    }

    /// One client that breaks off: at once, when the echo has begun, or after its FIN.
    private static func reset(_ probe: inout Probe, _ round: Int) throws(Finding) {
        let flow = try probe.connectMany(1)[0]
        try sendOnce(flow)
        if round % 3 == 1 { _ = flow.client.wait(for: .readable, until: probe.soon(1000)) }
        if round % 3 == 2 { flow.client.finish() }
        flow.client.resetOnClose()
    }
}
