// EdgeBooks: what has to be true between two turns of a worker on epoll. Who watches for edges
// hangs when one is missed, and a client that finishes later would hide it. So it is asked for
// each connection whether somebody is still going to wake it.

@_spi(Simulation) import Engine
import Net

/// The checks of readiness in one run.
struct EdgeBooks {
    /// A slot that could have gone on when the last turn was over.
    private var couldGoOn: UInt32?

    /// Begins with the connections of a turn.
    mutating func begin(_ host: ModelHost) {
        if let slot = couldGoOn, host.poll.mayHaveSlept {
            host.fail("the worker sleeps though slot \(slot) could go on")
        }
        couldGoOn = nil
    }

    mutating func check(
        _ connection: SteppedConnection,
        in slot: UInt32,
        _ host: ModelHost
    ) {
        guard let socket = host.socket(connection.descriptor) else { return }
        if connection.isReceiving && connection.isReadable
            || connection.isSending && connection.isWritable
        {
            couldGoOn = slot
        }
        checkPending(connection, in: slot, host)
        guard let watch = socket.watch, !watch.hasNews else { return }
        let isSomethingThere = socket.arrived > 0 || socket.peerHasFinished || socket.isBroken
        if connection.isReceiving, !connection.isReadable, isSomethingThere {
            host.fail("slot \(slot) waits for what has already come")
        }
        if connection.isSending, !connection.isWritable, !socket.lacksRoom {
            host.fail("slot \(slot) waits for room of which nobody will tell")
        }
    }

    /// A call is over when it returns. So nothing is on its way, what is queued waits for room, and
    /// above the cap nothing comes at all.
    private func checkPending(
        _ connection: SteppedConnection,
        in slot: UInt32,
        _ host: ModelHost
    ) {
        let limits = host.plan.limits
        if connection.isSending != (connection.pendingBytes > 0) {
            host.fail("slot \(slot) has \(connection.pendingBytes) bytes, and sends wrongly")
        }
        if connection.isThrottled, connection.isReceiving {
            host.fail("slot \(slot) is throttled and goes on receiving")
        }
        let most = max(limits.pendingBytesMax, limits.bufferBytes) + limits.bufferBytes
        if connection.pendingBytes > most {
            host.fail("slot \(slot) has \(connection.pendingBytes) bytes, \(most) at most")
        }
    }
}
