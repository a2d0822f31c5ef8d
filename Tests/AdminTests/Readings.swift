// Readings: processes that are made up, in each state there might be.

import Engine

@testable import Admin

extension Counters {
    /// Counts that differ from each other: the first field has `first`, the next one more.
    static func ascending(from first: UInt64) -> Counters {
        var counters = Counters()
        for (number, field) in Counters.fields.enumerated() {
            counters[keyPath: field.path] = first + UInt64(number)
        }
        return counters
    }
}

extension WorkerReading {
    static func made(_ number: Int, _ backend: Backend = .uring) -> WorkerReading {
        WorkerReading(
            number: number,
            backend: backend,
            counters: .ascending(from: UInt64(number + 1) * 1000),
            connections: 3 + number,
            connectionsMax: 100,
            buffersFree: 60,
            buffers: 64
        )
    }
}

extension ProcessFigures {
    static let made = ProcessFigures(
        residentBytes: 10 << 20,
        virtualBytes: 100 << 20,
        processorSeconds: 1.5,
        openDescriptors: 21,
        descriptorsMax: 1024,
        threads: 4,
        startedAtSeconds: 1_790_000_000.25
    )
}

extension ProcessReading {
    /// An echo with two workers on one backend each, and a relay with one.
    static func made(_ state: ProcessState = .serving) -> ProcessReading {
        let echo = ServiceReading(
            name: "echo",
            kind: .echo,
            addresses: ["127.0.0.1:8888", "[::1]:8888"],
            workers: [.made(0), .made(1, .epoll)]
        )
        let relay = ServiceReading(
            name: "web",
            kind: .relay,
            addresses: ["127.0.0.1:80"],
            workers: [.made(0)],
            counts: [NamedCount("access_denied", 7), NamedCount("connect_retries", 8)],
            upstreams: [
                UpstreamReading(
                    target: "10.0.0.1:80",
                    isUp: true,
                    connections: 3,
                    counts: [NamedCount("chosen", 11), NamedCount("failed", 1)]
                ),
                UpstreamReading(
                    target: "10.0.0.2:80",
                    isUp: false,
                    connections: 0,
                    counts: [NamedCount("chosen", 2), NamedCount("failed", 2)]
                ),
            ]
        )
        return ProcessReading(
            version: "1.2.3",
            commit: "abc1234",
            startedAtSeconds: 1_790_000_000,
            state: state,
            services: [echo, relay],
            figures: .made
        )
    }
}
