// RelayServer: the relay inside the test's own process, on a port that the kernel chooses.

import Engine
import Net
import Relay
import Support
import Testing

/// A way of holding connections, and how large the pool is.
struct Setting: CustomTestStringConvertible, Sendable {
    let interface: Interface
    let pool: PoolSetting
    /// Pipes for bytes that need not be copied.
    var pipeCount = 0

    static let all = Interface.allCases.flatMap { interface in
        [PoolSetting.normal, .eightBuffers, .tinyBuffers].flatMap { pool in
            [0, 1].map { Setting(interface: interface, pool: pool, pipeCount: $0) }
        }
    }

    var testDescription: String { "\(interface), \(pool), \(pipeCount) pipes" }
}

/// A running relay.
final class RelayServer: Sendable {
    let address: SocketAddress
    let upstreams: UpstreamSet
    let counters = RelayCounters()
    private let group: WorkerGroup

    /// - Parameters:
    ///   - upstreams: with the options behind the address, such as `,backup`.
    ///   - name: what the first one is called, where not by its address.
    ///   - others: further addresses of the first one.
    ///   - adjust: changes the plans.
    init(
        _ setting: Setting,
        to addresses: [(SocketAddress, String)],
        named name: String? = nil,
        others: [SocketAddress] = [],
        balance: Balance = .roundRobin,
        ejection: EjectionPolicy = EjectionPolicy(),
        adjust: (inout RelayPlan, inout GroupPlan) -> Void = { _, _ in }
    ) throws {
        let options = try addresses.enumerated().map { number, place in
            let target = number == 0 ? name ?? "\(place.0)" : "\(place.0)"
            return try UpstreamOptions(parsing: target + place.1)
        }
        upstreams = UpstreamSet(
            options,
            addresses: addresses.enumerated().map { [$1.0] + ($0 == 0 ? others : []) },
            balance: balance,
            ejection: ejection
        )
        var limits = Limits(connectionsMax: 1200)
        limits.slotsPerClient = 2
        setting.pool.apply(to: &limits)
        limits.pipeCount = setting.pipeCount
        var plan = GroupPlan(backend: .uring, limits: limits)
        setting.interface.apply(to: &plan)
        plan.listeners = [ListenOptions(address: try SocketAddress(parsing: "127.0.0.1:0"))]
        plan.policy.drainNanoseconds = 200 * .nanosecondsPerMillisecond
        plan.policy.connectNanoseconds = .nanosecondsPerSecond
        plan.policy.finishesQuiet = false
        var relay = RelayPlan(upstreams: upstreams)
        adjust(&relay, &plan)
        plan.targets = relay.targets
        let (finished, counters, slots) = (relay, counters, plan.limits.connectionsMax)
        group = try WorkerGroup(plan) { worker in
            RelayHandler(
                finished,
                counters: counters,
                connectionsMax: slots,
                seed: UInt64(worker) + 1
            )
        }
        address = group.addresses[0]
    }

    convenience init(
        _ setting: Setting,
        to address: SocketAddress,
        adjust: (inout RelayPlan, inout GroupPlan) -> Void = { _, _ in }
    ) throws {
        try self.init(setting, to: [(address, "")], adjust: adjust)
    }

    /// A count of the relay.
    func count(_ name: String) -> UInt64 {
        counters.fields.first { $0.name == name }?.value ?? .max
    }

    func wake() { group.wake() }

    func stop() -> Counters {
        var sum = Counters()
        for counters in group.stop() { sum.add(counters) }
        return sum
    }
}
