// IdealWorker: the production worker, driver and echo service on an ideal kernel.

@_spi(Simulation) public import Engine
import Net
import URing

/// An echo of which bytes are never looked at: what it costs is what the engine costs.
struct BareEcho: Handler {
    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        .echo
    }
}

/// Runs of the engine on an ideal kernel.
public enum IdealWorker {
    static let listener = Descriptor(rawValue: 50)

    /// Runs until so many messages have been echoed, and returns what the worker counted.
    public static func run(
        _ backend: Backend,
        _ workload: Workload,
        messages: Int
    ) throws -> Counters {
        let clients = Clients(workload)
        let plan = StepPlan(
            limits: Limits(connectionsMax: 10_000),
            policy: ConnectionPolicy(),
            listeners: [listener],
            usesMultishot: true,
            registersFiles: false,
            control: try StepControl()
        )
        switch backend {
        case .uring:
            var worker = try SteppedWorker(ring: IdealRing(clients), handler: BareEcho(), plan)
            worker.start()
            while clients.messages < messages { worker.turn() }
            return worker.counters
        case .epoll:
            var worker = try SteppedWorker(calls: IdealCalls(clients), handler: BareEcho(), plan)
            worker.start()
            while clients.messages < messages { worker.turn() }
            return worker.counters
        }
    }
}
