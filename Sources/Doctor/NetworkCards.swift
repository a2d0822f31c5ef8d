// NetworkCards: the queues of network cards, which the manifest of a run has no use for.

import Measure

/// The network cards of a host.
enum NetworkCards {
    /// How many receive queues each has. Loopback and bridges have no device behind them.
    static func receiveQueues(below root: String = "/sys/class/net") -> [String: Int] {
        var queues: [String: Int] = [:]
        for name in SystemFile.names(inFolder: root) ?? [] {
            let folder = "\(root)/\(name)"
            guard SystemFile.names(inFolder: folder + "/device") != nil,
                let entries = SystemFile.names(inFolder: folder + "/queues")
            else { continue }
            queues[name] = entries.count { $0.hasPrefix("rx-") }
        }
        return queues
    }
}
