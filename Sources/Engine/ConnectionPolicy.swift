// ConnectionPolicy: how long a connection may be silent, stalled or half closed, and who may
// connect.

import Net

/// Timeouts and admission of a group's connections. A time of 0 switches its rule off.
public struct ConnectionPolicy: Sendable, Equatable {
    /// A connect that takes longer has failed; the kernel gives up after some two minutes.
    public var connectNanoseconds: UInt64 = 0
    /// A connection on which nothing moves for so long gets FIN, and RST after the grace.
    public var idleNanoseconds: UInt64 = 0
    /// Once one side has sent FIN, the other direction ends when nothing has moved for so long.
    public var halfCloseNanoseconds: UInt64 = 60 * .nanosecondsPerSecond
    /// A peer that takes nothing of what is sent for so long is cut.
    public var writeNanoseconds: UInt64 = 60 * .nanosecondsPerSecond
    /// How long a peer has for its own FIN after an idle connection was sent ours.
    public var graceNanoseconds: UInt64 = 5 * .nanosecondsPerSecond
    /// Whether a connection is finished at a stop as soon as nothing of it is on its way. Otherwise
    /// it goes on until its ends want to end it, or the drain is over.
    public var finishesQuiet = true
    /// How long connections have to finish when the service stops.
    public var drainNanoseconds: UInt64 = 30 * .nanosecondsPerSecond
    /// Connections let go in a second when the service stops, by all workers together, for nine
    /// tenths of that time; 0 lets all go at once.
    public var drainsPerSecond = 0
    /// Connections at once from one source, in all workers together; 0 for any number. A source is
    /// an IPv4 address, or the /64 of an IPv6 address.
    public var connectionsPerAddress = 0
    /// Connections in a second from one source, as many of them at once; 0 for any number.
    public var acceptsPerSecondPerAddress = 0
    /// Connections accepted in a second by all workers together; 0 for any number.
    public var acceptsPerSecond = 0

    /// Half-close and write timeouts of a minute, and no limit on who connects.
    public init() {}

    /// For how long a stop keeps to its pace. What is left after it has the rest of the time to
    /// finish.
    public var pacedDrainNanoseconds: UInt64 { drainNanoseconds - drainNanoseconds / 10 }

    /// How often a connection is looked at, at least: the shortest timeout that is on; nil where
    /// none is.
    var checkNanoseconds: UInt64? {
        [idleNanoseconds, halfCloseNanoseconds, writeNanoseconds].filter { $0 > 0 }.min()
    }
}
