// What a metrics system of the embedding program is told: the same as /metrics says, once each.

import CoreMetrics
import Engine
import MetricsTestKit
import Net
import Services
import Support
import Testing

@testable import Admin
@testable import EngineMetrics

struct GroupMetricsTests {
    private func dimensions(_ worker: Int, _ backend: Backend) -> [(String, String)] {
        [("service", "echo"), ("worker", "\(worker)"), ("backend", backend.rawValue)]
    }

    /// Every sample of a worker that /metrics has, and its value; not those that are of its plan.
    @Test func itIsToldWhatMetricsSays() throws {
        let metrics = TestMetrics()
        var plan = GroupPlan(backend: .uring, limits: Limits(connectionsMax: 100))
        plan.workerCount = 2
        plan.epollWorkerCount = 1
        plan.listeners = [ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))]
        let published = GroupMetrics(service: "echo", plan, factory: metrics)
        let group = try WorkerGroup(plan) { _ in EchoService() }
        try exchange(group.addresses[0], clients: 20)
        // Twice: what was told once is not told again.
        published.publish(group)
        try exchange(group.addresses[0], clients: 11)
        published.publish(group)
        _ = group.stop()
        published.publish(group)
        published.publish(group)

        let readings = zip(plan.backends, group.snapshots(withinNanoseconds: 0)).enumerated().map {
            number,
            worker in
            WorkerReading(
                number: number,
                backend: worker.0,
                counters: worker.1.counters,
                connections: worker.1.connections,
                connectionsMax: 100,
                buffersFree: worker.1.buffersFree,
                buffers: 1024
            )
        }
        let service = ServiceReading(name: "echo", kind: .echo, addresses: [], workers: readings)
        var told: [String: Double] = [:]
        for counter in metrics.counters {
            told[key(counter.label, counter.dimensions)] = Double(counter.totalValue)
        }
        for meter in metrics.meters {
            told[key(meter.label, meter.dimensions)] = meter.lastValue
        }
        let ofThePlan: Set = [
            "ringback_accept_paused", "ringback_buffers", "ringback_connections_max",
            "ringback_listeners",
        ]
        var compared = 0
        for line in PrometheusText.render(reading(of: service)).split(separator: "\n") {
            guard let sample = line.wholeMatch(of: /(ringback_\w+)(\{.*worker=.*\}) (\S+)/),
                !ofThePlan.contains(String(sample.1))
            else { continue }
            let value = told.removeValue(forKey: String(sample.1 + sample.2))
            // A backend without fractions is told whole seconds.
            let said = Double(sample.3)?.rounded(sample.1.contains("seconds") ? .down : .up)
            #expect(value == said || value == nil && said == 0, "\(line)")
            compared += 1
        }
        #expect(compared > 2 * CounterMetric.all.count)
        #expect(told.isEmpty, "nothing that /metrics does not have")
        #expect(metrics.counterTotal(label: "ringback_connections_accepted_total") == 31)
        #expect(metrics.counterTotal(label: "ringback_received_bytes_total") == 93)
    }

    private func key(_ label: String, _ dimensions: [(String, String)]) -> String {
        label + "{" + dimensions.map { "\($0)=\"\($1)\"" }.joined(separator: ",") + "}"
    }

    private func reading(of service: ServiceReading) -> ProcessReading {
        ProcessReading(version: "1", startedAtSeconds: 0, state: .serving, services: [service])
    }

    /// Clients that send and finish, all of whose bytes come back.
    private func exchange(_ address: SocketAddress, clients: Int) throws {
        for _ in 0..<clients {
            let client = try TestClient(address)
            try client.send([1, 2, 3])
            #expect(try client.receive(exactly: 3) == [1, 2, 3])
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
    }
}
