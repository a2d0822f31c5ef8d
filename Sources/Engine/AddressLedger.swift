// AddressLedger: how many connections each address has, in all workers together. The one thing that
// workers share, and only where a limit for each address is set: it is looked at when a connection
// is accepted and when it ends, never for its bytes.

import Net
import Synchronization

/// Connections by the address they come from.
final class AddressLedger: Sendable {
    private let limit: Int
    private let counts = Mutex<[SocketAddress: Int]>([:])

    /// - Parameter limit: the connections an address may have, at least 1.
    init(limit: Int) { self.limit = limit }

    /// Notes a connection from a host; false where that would be one too many.
    func enter(_ host: SocketAddress) -> Bool {
        counts.withLock { counts in
            let count = counts[host, default: 0]
            guard count < limit else { return false }
            counts[host] = count + 1
            return true
        }
    }

    /// Notes the end of a connection that was entered.
    func leave(_ host: SocketAddress) {
        counts.withLock { counts in
            let count = counts[host, default: 1] - 1
            counts[host] = count == 0 ? nil : count
        }
    }
}
