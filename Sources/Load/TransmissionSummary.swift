// TransmissionSummary: what TCP knew of a run's connections when they ended (TCP_INFO, tcp(7)).

import Measure
import Net

/// Round trips and retransmits of many connections.
public struct TransmissionSummary: Sendable {
    private var roundTrips = Latency()
    /// Segments sent again, in all.
    public private(set) var retransmits: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// Connections that were asked.
    public var connections: UInt64 { roundTrips.count }
    /// The smoothed round-trip time of the median connection.
    public var roundTripMedianNanoseconds: UInt64 { roundTrips.value(atPercentile: 50) }
    /// The longest of them.
    public var roundTripLongestNanoseconds: UInt64 { roundTrips.longest }

    /// Adds other connections.
    mutating func add(_ other: TransmissionSummary) {
        roundTrips.add(other.roundTrips)
        retransmits += other.retransmits
    }

    /// Adds a connection, where it could be asked.
    mutating func add(_ transmission: Transmission?) {
        guard let transmission else { return }
        roundTrips.record(UInt64(transmission.roundTripMicroseconds) * 1000)
        retransmits += UInt64(transmission.retransmits)
    }
}
