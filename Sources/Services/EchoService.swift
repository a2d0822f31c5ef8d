// EchoService: the Echo Protocol (RFC 862) over TCP. What arrives goes back in the buffer it came
// in, until the client ends the connection.

public import Engine

/// Sends back whatever is received.
public struct EchoService: Handler {
    /// An echo has no state.
    public init() {}

    public mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        .echo
    }
}
