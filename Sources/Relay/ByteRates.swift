// ByteRates: how many bytes a relay passes on in a second, both ways together: in total, and of
// each source. The buckets are shared by all workers and without locks, since each message is
// charged to them.

import Engine
import Net

/// The limits of a relay on bytes in a second.
public final class ByteRates: Sendable {
    private let total: TokenRate?
    private let totalBucket = TokenBucket()
    private let sources: AddressLedger?

    /// - Parameters:
    ///   - perSecond: bytes of all clients together; 0 for any number.
    ///   - perSecondPerSource: bytes of each source; 0 for any number.
    ///   - clientsMax: the clients that all workers together may have.
    /// - Returns: nil where nothing is limited.
    public init?(perSecond: Int, perSecondPerSource: Int, clientsMax: Int) {
        guard perSecond > 0 || perSecondPerSource > 0 else { return nil }
        total = perSecond > 0 ? TokenRate(perSecond: perSecond) : nil
        sources =
            perSecondPerSource > 0
            ? AddressLedger(
                clientsMax: clientsMax,
                rate: TokenRate(perSecond: perSecondPerSource)
            ) : nil
    }

    /// Notes a client's connection; nil where sources have no limit.
    func enter(_ address: SocketAddress, now: UInt64) -> AddressLedger.Place? {
        sources?.enter(address, now: now)
    }

    /// Notes the end of a connection that was entered.
    func leave(_ place: AddressLedger.Place) { sources?.leave(place) }

    /// Charges bytes that were received to everything that limits them.
    ///
    /// - Returns: when they are paid for; nil where they are already.
    func charge(_ byteCount: Int, to place: AddressLedger.Place?, now: UInt64) -> UInt64? {
        var paidAt: UInt64?
        if let total { paidAt = totalBucket.take(byteCount, at: total, now: now) }
        if let place, let moment = sources?.take(byteCount, of: place, now: now) {
            paidAt = max(paidAt ?? 0, moment)
        }
        return paidAt
    }
}
