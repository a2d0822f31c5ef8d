// EchoFault: what FaultyEcho does wrong, one thing at a time. Each is a mistake that an echo server
// can really make; the cases of the conformance suite are shown to find them.

/// What a faulty echo does wrong.
public enum EchoFault: String, CaseIterable, Sendable {
    case none

    // ---- with the bytes ----

    /// A connection's third receive goes to another connection, if there is one.
    case mixes
    /// One byte in the middle of a large receive is left out.
    case losesByte
    /// Two blocks in the middle of a large receive change places.
    case swapsBlocks
    /// Every 50th receive of a connection is echoed twice.
    case repeats
    /// Every byte loses its highest bit.
    case stripsHighBit
    /// A receive ends at the next multiple of 4 KiB of the stream; what is beyond is forgotten.
    case cutsAtBlocks
    /// While more than 256 KiB are unsent, every other receive is dropped.
    case dropsOverflow
    /// What comes within 100 ms of the connection's begin is dropped.
    case dropsEarly
    /// A client is greeted with a byte that it did not send.
    case greets

    // ---- with the time ----

    /// Less than 8 KiB is held back until more comes, or the client's FIN.
    case holdsSmall
    /// No more than 64 bytes are sent each millisecond.
    case drips
    /// A connection that was silent for 200 ms is ended, and reset where it is still owed bytes.
    case endsIdle
    /// While one client does not read, nobody gets anything.
    case stallsOthers
    /// Reading goes on for a client that does not read.
    case neverStopsReading

    // ---- with the end ----

    /// At the client's FIN, what was not sent yet is dropped.
    case dropsTail
    /// At the client's FIN the connection is reset.
    case resets
    /// The client's FIN is not answered.
    case neverFinishes
    /// After 80 connections have ended in order, as if their slots were never freed, new ones are
    /// accepted and not served.
    case leaksEnded
    /// The same after 8 connections that their clients reset.
    case leaksReset
}
