// The cases about endings: after the client's FIN everything that was sent comes back, then FIN;
// the server never ends a connection first, and never with RST.

import Glibc
import Net

extension Suite {
    static let closingCases: [Case] =
        [(0, "0"), (1, "1"), (100_000, "100k"), (4 << 20, "4m")].flatMap { count, name in
            [
                Case(
                    "half-close-\(name)",
                    "E1",
                    "\(count) bytes and FIN: all come back, then FIN"
                ) { probe throws(Finding) in
                    try probe.exchange(try probe.connect(sending: count, ending: .finishes))
                },
                Case(
                    "half-close-late-\(name)",
                    "E1",
                    "the same with up to \(count) bytes and a client that reads after its FIN",
                    pausing: 300
                ) { probe throws(Finding) in
                    let flow = try probe.connect(
                        sending: count,
                        reading: .afterFinish(pauseNanoseconds: 0),
                        ending: .finishes
                    )
                    try probe.exchange(flow)
                    if flow.total < count {
                        probe.comments.append(
                            "the server held the client back; FIN was sent after "
                                + "\(flow.total) bytes"
                        )
                    }
                },
            ]
        } + [
            Case("fin-with-data", "E16 E1", "FIN in the segment of the last bytes: all come back") {
                probe throws(Finding) in try finishWithData(&probe)
            },
            Case(
                "fin-not-reset",
                "E5",
                "20 clients that read 200 ms after their FIN find all bytes and FIN, not RST",
                pausing: 500
            ) { probe throws(Finding) in try finishAwaitsReaders(&probe) },
            Case("finish-under-way", "E1 E16", "FINs that cross with bytes under way, 64 at once") {
                probe throws(Finding) in
                let count = min(64, probe.connectionsMax)
                let flows = try probe.connectMany(count, ending: .finishes)
                for (number, flow) in flows.enumerated() { flow.extend(by: 60_000 + number) }
                try probe.exchange(flows)
            },
            Case("close-after-echo", "E5 E16", "clients that close as their last byte arrives") {
                probe throws(Finding) in
                for round in 0..<100 {
                    try probe.exchange(try probe.connect(sending: 1 + round * 100))
                }
                try probe.expectService("after that")
            },
            Case(
                "idle-then-echo",
                "E10",
                "silent for 1 s, a connection stays open and echoes on",
                pausing: 1000
            ) { probe throws(Finding) in
                let flow = try probe.connect(sending: 100)
                try probe.exchange(flow)
                try probe.expectQuiet(flow, milliseconds: 1000)
                flow.extend(by: 100)
                try probe.exchange(flow)
            },
            Case(
                "idle-from-start",
                "E16 E10",
                "connected and silent for 1 s, then data: echoed",
                pausing: 1000
            ) { probe throws(Finding) in
                let flow = try probe.connect(sending: 0)
                try probe.expectQuiet(flow, milliseconds: 1000)
                flow.extend(by: 5000)
                try probe.exchange(flow)
            },
        ]

    /// MSG_MORE holds the bytes back until the FIN joins them.
    private static func finishWithData(_ probe: inout Probe) throws(Finding) {
        for byteCount in [1, 100, 1000] {
            let flow = try probe.connect(sending: byteCount, ending: .finishes)
            var bytes = [UInt8](repeating: 0, count: byteCount)
            bytes.withUnsafeMutableBytes { flow.stream.fill($0, from: 0) }
            guard flow.client.send(bytes, flags: Int32(MSG_MORE)) else {
                throw Finding(.reset, expected: "a connection", found: "one that takes no bytes")
            }
            flow.sent = byteCount
            try probe.exchange(flow)
        }
    }

    /// A server that cuts what it has not delivered yet, instead of closing in order, may do no
    /// harm to clients that read at once. Once both FINs have met, a client's kernel shows no RST.
    private static func finishAwaitsReaders(_ probe: inout Probe) throws(Finding) {
        var flows: [Flow] = []
        for round in 0..<20 {
            flows.append(
                try probe.connect(
                    sending: round * 20_000,
                    reading: .afterFinish(pauseNanoseconds: 200 * .nanosecondsPerMillisecond),
                    ending: .finishes
                )
            )
        }
        try probe.exchange(flows)
    }
}
