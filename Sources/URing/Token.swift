// Token: what a submission carries into the kernel and its completions carry back (`user_data`).

/// Names the operation and its subject in a submission and in its completions.
///
/// A token never holds a bare descriptor: the kernel reuses a descriptor's number at once, while
/// completions of its former owner may still be on their way. The generation tells the two apart.
///
/// Layout, from the top: operation (8 bits), slot (24 bits), generation (32 bits).
public struct Token: Equatable, Hashable, Sendable {
    /// The 64 bits as the kernel sees them.
    public let rawValue: UInt64

    /// The largest slot that fits, plus one.
    public static let slotLimit: UInt32 = 1 << 24

    /// Wraps the bits of a completion.
    @inline(__always)
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The ring's own, with which it makes a registered file a descriptor for a moment, or shuts it
    /// down without one. Whoever finds it among the completions closes the descriptor that it may
    /// bring.
    public static let installation = Token(operation: .max)
    /// The token of a socket that a ring makes as a registered file, and of its close. A completion
    /// that comes with a slot is late: whoever asked for the socket has given it up.
    public static let socket = Token(operation: .max - 1)

    /// Packs a token. `slot` must be below `slotLimit`; operations 254 and 255 are the ring's.
    @inline(__always)
    public init(operation: UInt8, slot: UInt32 = 0, generation: UInt32 = 0) {
        assert(slot < Token.slotLimit)
        rawValue = UInt64(operation) << 56 | UInt64(slot) << 32 | UInt64(generation)
    }

    /// What was asked for; the meaning is the submitter's.
    @inline(__always)
    public var operation: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56) }
    /// Whom it concerns.
    @inline(__always)
    public var slot: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) & (Token.slotLimit - 1) }
    /// Which of the slot's successive owners.
    @inline(__always)
    public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
}
