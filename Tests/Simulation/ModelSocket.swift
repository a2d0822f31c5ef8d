// ModelSocket: the host's end of a model connection, and what the client can see of it. It holds
// counts instead of bytes: what the bytes have to be follows from their places in the stream.

import Net
import URing

/// One connection as the host's kernel knows it.
final class ModelSocket {
    let client: Int
    let bytes: KeyedBytes

    // ---- from the client ----

    /// Bytes that lie in the receive queue, and those that the worker has received.
    var arrived = 0
    var received = 0
    var peerHasFinished = false
    /// Where in the stream an urgent byte lies: every receive ends there.
    var mark: Int?

    // ---- to the client ----

    /// Bytes that lie in the send queue, and all that were ever read from send buffers.
    var queued = 0
    var taken = 0
    var isWriteShut = false
    var isReadShut = false
    /// The client will see FIN when it has read what is queued.
    var hasSentFin = false
    /// The client will see RST.
    var hasSentReset = false

    // ---- its life ----

    /// The connection is broken, and the error that the next call will be told.
    private(set) var isBroken = false
    private var error: Errno?
    /// In which process's hands a connection is.
    enum Place {
        case here
        /// Offered: another process may read it already, or this one has it still.
        case offered
        case elsewhere
    }

    var place = Place.here
    /// A request began though another process may have it.
    var wasTouchedElsewhere = false
    /// A descriptor names it.
    var isOpen = false
    var wasAccepted = false
    /// Requests in flight; each holds the socket, as a descriptor does.
    var requestCount = 0
    var resetsOnClose = false
    /// How epoll watches it, if it does.
    var watch: Watch?
    /// A send found less room than it wanted: that there is more will be news.
    var lacksRoom = false
    /// A call has failed that breaks the connection: its client is not to see a clean end.
    var mustBeReset = false
    /// The last call said EAGAIN, which was not true.
    var receiveHasLied = false
    var sendHasLied = false
    /// Nothing holds it any more.
    private(set) var isReleased = false

    init(client: Int, bytes: KeyedBytes) {
        self.client = client
        self.bytes = bytes
    }

    /// The connection breaks: nothing more goes either way.
    func breakDown(_ error: Errno, losesArrived: Bool) {
        guard !isBroken, !isReleased else { return }
        isBroken = true
        self.error = error
        queued = 0
        if losesArrived { arrived = 0 }
        watch?.hasNews = true
    }

    /// Whether the next call would be told of an error.
    var hasError: Bool { error != nil }

    /// The error of a broken connection; it is told once.
    func takeError() -> Errno? {
        defer { error = nil }
        return error
    }

    /// shutdown(2).
    func shut(_ direction: ShutdownDirection) {
        if direction == .both { isReadShut = true }
        isWriteShut = true
        hasSentFin = true
    }

    func refuse() {
        isReleased = true
        sendReset()
    }

    /// The last holder lets go.
    func releaseIfUnheld() {
        guard wasAccepted, !isOpen, requestCount == 0, place != .elsewhere else { return }
        release()
    }

    /// Nothing holds it: FIN, or RST where bytes are unread or where it was asked for.
    func release() {
        guard !isReleased else { return }
        isReleased = true
        if resetsOnClose || arrived > 0 {
            sendReset()
        } else {
            hasSentFin = true
        }
    }

    /// What is in the send queue is lost.
    func sendReset() {
        hasSentReset = true
        queued = 0
    }
}
