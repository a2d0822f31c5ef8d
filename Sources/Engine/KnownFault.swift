// KnownFault: the bug bank. Faults that io_uring servers have had can be put back, one at a time,
// to see that the tests notice. Debug builds alone can do so: in a release build no fault is ever
// back, and the compiler leaves nothing of the question.

/// A fault that can be put back.
@_spi(Simulation)
public enum KnownFault: String, CaseIterable, Sendable {
    /// F1: a buffer is taken from a completion that carries none.
    case bufferWithoutFlag = "F1"
    /// F2: buffers go home while a send still reads them.
    case buffersHomeTooEarly = "F2"
    /// F3: a receive that found no buffer is asked for again at once.
    case starvedAskAtOnce = "F3"
    /// F4: a multishot receive is taken to go on after a good completion.
    case endAfterBytesMissed = "F4"
    /// F5: EBUSY of an enter is taken for fatal.
    case busyIsFatal = "F5"
    /// F6: a second send begins while one is in flight.
    case sendsOverlap = "F6"
    /// F7: a short send is taken for a whole one.
    case shortSendsMissed = "F7"
    /// F8: a connection is closed under its receive, and its successor is taken for it.
    case closedUnderReceive = "F8"
    /// F9: what was cancelled is taken to have ended.
    case cancelIsTheEnd = "F9"
    /// F10: accepting goes on at once though descriptors have run out.
    case acceptWithoutPause = "F10"
    /// F11: accepting goes on though there is no room, so connections that were taken are lost.
    case acceptWithoutRoom = "F11"
    /// F13: a listener that is broken is asked on and on.
    case brokenListenerAsked = "F13"
    /// F17: what is sent to a peer that has gone raises SIGPIPE, as a plain write does.
    case sendsAreWrites = "F17"
    /// F20: at a stop the close follows FIN at once.
    case noLingering = "F20"

    #if BUGBANK
        /// The fault that is back. Set before any worker runs, and not changed.
        public nonisolated(unsafe) static var reintroduced: KnownFault?

        var isBack: Bool { KnownFault.reintroduced == self }
    #else
        @inline(__always)
        var isBack: Bool { false }
    #endif
}
