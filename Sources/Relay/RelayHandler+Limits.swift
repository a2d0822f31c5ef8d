// Limits on bytes in a second.
//
// Bytes that have arrived are passed on at once, and charged. Where that leaves a bucket in debt,
// the connection they came on is not read until they are paid for. Every charge moves that moment
// on, so connections of one bucket wait for their turns one after the other, in the order in which
// they were charged, and never for one that has nothing to say.
//
// A client is also not read before its upstream stands. The two pauses cannot meet: nothing is
// charged before, and none of the other kind comes after.

import Engine
import Net
import Synchronization

extension RelayHandler {
    // ---- bytes in a second ----

    /// Notes the source of a pair, once it is known.
    mutating func enterRates(_ place: Int, _ effects: borrowing Effects) {
        pairs[place].rated = plan.rates?.enter(pairs[place].source, now: effects.now)
    }

    /// Charges bytes to what limits them.
    @inline(never)
    mutating func charge(
        _ byteCount: Int,
        to connection: ConnectionID,
        _ effects: inout Effects
    ) {
        let rated = pairs[ends[Int(connection.slot)].pair].rated
        guard let paidAt = plan.rates?.charge(byteCount, to: rated, now: effects.now) else {
            return
        }
        counters.ratePauses.add(1, ordering: .relaxed)
        effects.pause(connection)
        waiting.insert(connection, until: paidAt)
        askToBeWoken(&effects)
    }

    /// Reads again from those whose bytes are paid for: some at a time, since effects are limited.
    mutating func releasePaid(_ effects: inout Effects) {
        for _ in 0..<32 {
            guard let connection = waiting.popDue(now: effects.now) else { return }
            effects.resume(connection)
        }
    }

    // ---- moments ----

    /// Has `woke` called when something falls due.
    func askToBeWoken(_ effects: inout Effects) {
        let moment = min(headersAwaited.first?.deadline ?? .max, waiting.earliest ?? .max)
        if moment != .max { effects.wake(at: moment) }
    }
}
