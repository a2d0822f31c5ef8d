// ModelClient: the other end of a model connection. It goes through its steps, and judges what
// comes back to it.

import Net

/// A client.
final class ModelClient {
    /// How a connection ended, as the client saw it.
    enum End: Equatable {
        /// It was not let in.
        case refused
        /// The host's FIN came.
        case finished
        /// The host's RST came.
        case reset
        /// It went away itself.
        case left
    }

    let number: Int
    let bytes: KeyedBytes
    let steps: [Operation]
    var nextStep = 0
    var socket: ModelSocket?

    /// Bytes sent so far, and those of them that have not arrived.
    var sent = 0
    var inTransit = 0
    var finInTransit = false
    /// Where in its stream an urgent byte is that has not arrived.
    var urgentAt: Int?
    var hasFinished = false
    /// Bytes of the echo that it has read.
    var read = 0
    var stalledUntil: UInt64 = 0
    var readAtOnce = Int.max
    /// How long it waits before it looks again; grows while nothing happens.
    var patience: UInt64 = 1000
    var isArriving = false

    var connectedAt: UInt64 = 0
    /// What had arrived of it when the service was asked to stop: all of that has to come back.
    var arrivedAtStop: Int?
    /// When bytes last moved on its connection at the host, and when the host sent FIN.
    var movedAt: UInt64 = 0
    var finAt: UInt64?
    /// Something befell its connection that excuses an early end.
    var mayBeCut = false
    var end: End?

    init(number: Int, seed: UInt64, steps: [Operation]) {
        self.number = number
        bytes = KeyedBytes(key: seed &+ UInt64(number) &* 0x1_0000_0001)
        self.steps = steps
    }

    /// Whether it was accepted.
    var isIn: Bool { socket?.wasAccepted == true }

    /// What is wrong with how its connection ended, or nil.
    var complaint: String? {
        switch end {
        case nil: return "has not ended"
        case .left: return nil
        case .refused:
            return arrivedAtStop == nil && !mayBeCut ? "was refused without a stop" : nil
        case .reset:
            return mayBeCut ? nil : "was reset: \(progress)"
        case .finished:
            if mayBeCut { return nil }
            if let arrivedAtStop {
                return read < arrivedAtStop
                    ? "had \(arrivedAtStop) bytes in before the stop, got \(progress)" : nil
            }
            if read != sent { return "lost bytes: \(progress)" }
            return nil
        }
    }

    private var progress: String { "\(read) bytes back of \(sent)" }
}
