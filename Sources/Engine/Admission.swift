// Admission: what the workers of a group share to limit who connects, where that is limited at all.
// It is asked for each connection, never for its bytes.

import Net

/// The limits on a group's connections, of all its workers together.
final class Admission: Sendable {
    /// Connections accepted in a second; nil for any number.
    let rate: TokenRate?
    let bucket = TokenBucket()
    /// What each source has; nil where no limit concerns it.
    let ledger: AddressLedger?

    /// - Returns: nil where the plan limits nothing of the kind.
    init?(_ plan: GroupPlan) {
        let policy = plan.policy
        guard
            max(
                policy.acceptsPerSecond,
                policy.connectionsPerAddress,
                policy.acceptsPerSecondPerAddress
            ) > 0
        else { return nil }
        rate =
            policy.acceptsPerSecond > 0 ? TokenRate(perSecond: policy.acceptsPerSecond) : nil
        let perSource = policy.acceptsPerSecondPerAddress
        guard policy.connectionsPerAddress > 0 || perSource > 0 else {
            ledger = nil
            return
        }
        // A worker enters a connection before it looks for room, so each may have one more.
        let clientsEach = plan.limits.connectionsMax / plan.limits.slotsPerClient + 1
        ledger = AddressLedger(
            clientsMax: plan.workerCount * clientsEach,
            connectionsMax: policy.connectionsPerAddress,
            rate: perSource > 0 ? TokenRate(perSecond: perSource, burst: perSource) : nil
        )
    }
}
