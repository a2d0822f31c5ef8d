// KernelRule: the rules of the kernel that io_uring servers have stumbled over, each as a small
// program with what it shows. The programs run on the kernel's ring and on the simulated one; what
// they show is put into words that hold for both, so that the two can be compared.

/// What the user of a ring gets to see.
enum Sighting: String {
    case receiveFailsOnIdleSocket
    case receiveFailsEachTime
    case receiveEndsWithoutBuffers
    case receiveEndsAfterBytes
    case overflowIsFlagged
    case completionsWholeAndInOrder
    case bytesWholeAndInOrder
    case bytesOutOfOrder
    case numberIsReused
    case peerGetsNoFin
    case peerGetsFin
    case lateCompletionHasFormerBytes
    case shutdownEndsReceive
    case acceptFailsThoughNobodyWaits
    case acceptFailsEachTime
    case acceptFailsWhenTableIsFull
    case clientsWait
    case clientsAreServedLater
    case takenConnectionIsClosed
}

/// How large everything is.
struct RuleSetting {
    var submissionEntries = 8
    var completionEntries = 64
    var bufferCount = 16
    var bufferBytes = 64
    /// Files that the ring's table has room for; 0 where there is none.
    var tableSize = 0
}

/// A rule; the numbers are those of the bug bank (`Engine/KnownFault.swift`).
enum KernelRule: String, CaseIterable {
    /// F3: without a buffer a receive fails at once, also where nothing has arrived.
    case receiveWithoutBuffers
    /// F4: a multishot receive ends when the completion queue is nearly full, and loses nothing.
    case receiveIntoFullQueue
    /// F5: completions beyond the queue come later, in order; a flag says that there are some.
    case overflow
    /// F6: sends of one socket that are in flight together mix.
    case severalSends
    /// F6, the remedy: one at a time.
    case oneSendAtATime
    /// F8: a close ends nothing that is in flight, and the number is free at once.
    case closeUnderReceive
    /// F8, the remedy: shutdown(2) first.
    case shutdownUnderReceive
    /// F10: without a descriptor an accept fails at once, and whoever waits goes on waiting.
    case acceptWithoutDescriptors
    /// F11: with a full table an accept loses the connection that it had taken.
    case acceptIntoFullTable

    var setting: RuleSetting {
        switch self {
        case .receiveIntoFullQueue:
            RuleSetting(submissionEntries: 4, completionEntries: 4, bufferBytes: 8)
        case .overflow: RuleSetting(completionEntries: 8)
        case .severalSends, .oneSendAtATime:
            RuleSetting(submissionEntries: 32, bufferBytes: 16384)
        case .acceptIntoFullTable: RuleSetting(tableSize: 1)
        default: RuleSetting()
        }
    }

    /// What the kernel shows: measured on 6.18, and asserted wherever the tests run.
    var sightings: Set<Sighting> {
        switch self {
        case .receiveWithoutBuffers:
            [
                .receiveFailsOnIdleSocket, .receiveFailsEachTime, .receiveEndsWithoutBuffers,
                .bytesWholeAndInOrder,
            ]
        case .receiveIntoFullQueue: [.receiveEndsAfterBytes, .bytesWholeAndInOrder]
        case .overflow: [.overflowIsFlagged, .completionsWholeAndInOrder]
        case .severalSends: [.bytesOutOfOrder]
        case .oneSendAtATime: [.bytesWholeAndInOrder]
        case .closeUnderReceive: [.numberIsReused, .peerGetsNoFin, .lateCompletionHasFormerBytes]
        case .shutdownUnderReceive: [.shutdownEndsReceive, .peerGetsFin]
        case .acceptWithoutDescriptors:
            [
                .acceptFailsThoughNobodyWaits, .acceptFailsEachTime, .clientsWait,
                .clientsAreServedLater,
            ]
        case .acceptIntoFullTable:
            [.acceptFailsWhenTableIsFull, .takenConnectionIsClosed, .clientsWait]
        }
    }
}
