// PacedDrain: what --drain-rate comes to within --drain-timeout, for people: at a stop with the
// connections that there are, and in `ringback check` with as many as there may be.

import Configuration
import Engine
import Net
import Options

/// A drain at a pace.
struct PacedDrain {
    private let perSecond: Int
    private let timeout: UInt64
    private let paced: UInt64

    /// - Returns: nil where all are let go at once.
    init?(_ policy: ConnectionPolicy) {
        guard policy.drainsPerSecond > 0 else { return nil }
        perSecond = policy.drainsPerSecond
        timeout = policy.drainNanoseconds
        paced = policy.pacedDrainNanoseconds
    }

    /// What a stop begins with.
    func announcement(clients: Int) -> String {
        let connections = clients == 1 ? "1 connection" : "\(clients) connections"
        return "\(connections), let go at \(perSecond) a second: about "
            + (seconds(for: clients) < 10 ? tenths(for: clients) : "\(Int(seconds(for: clients)))")
            + " s"
    }

    /// What is wrong with that where the time does not suffice; nil where it does.
    func doubt(clients: Int) -> String? {
        let most = Double(perSecond) * Double(paced) / 1e9
        guard Double(clients) > most else { return nil }
        let needed = (seconds(for: clients) * Double(timeout) / Double(paced)).rounded(.up)
        return "--drain-rate \(perSecond) lets \(Int(most)) of \(clients) connections go within "
            + "--drain-timeout \(TimeSpan(nanoseconds: timeout).defaultValueDescription), and all "
            + "others at once after \(paced / .nanosecondsPerMillisecond) ms; for all it takes "
            + "--drain-timeout \(Int(needed))s"
    }

    private func seconds(for clients: Int) -> Double { Double(clients) / Double(perSecond) }

    private func tenths(for clients: Int) -> String {
        "\((seconds(for: clients) * 10).rounded(.up) / 10)"
    }
}

extension ServiceConfiguration {
    /// What is allowed, and may not be what was meant.
    var doubts: [String] {
        services.compactMap { service in
            let connections = service.command.server.connections
            guard let policy = try? connections.policy(), let drain = PacedDrain(policy),
                let doubt = drain.doubt(
                    clients: connections.maxConnections ?? ConnectionOptions.usualConnections
                )
            else { return nil }
            return "service '\(service.name)': \(doubt)"
        }
    }
}
