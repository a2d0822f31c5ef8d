// What completions mean: each becomes at most one event of the engine. A completion for a former
// owner of a slot gives its buffer back and is counted, nothing else.

import Net
import URing

extension UringDriver where R: ~Copyable {
    @inline(__always)
    public mutating func next(_ state: inout WorkerState) -> Event? {
        while let completion = ring.nextCompletion() {
            let token = completion.token
            switch Operation(rawValue: token.operation) {
            case .receive:
                if let event = receiveCompleted(completion, &state) { return event }
            case .send:
                guard isCurrent(token, &state) else { continue }
                state.connections[token.slot].flags.remove(.sending)
                return completion.result >= 0
                    ? .sent(token.slot, Int(completion.result))
                    : .sendFailed(token.slot, Errno(rawValue: -completion.result))
            case .readable:
                guard isCurrent(token, &state) else { continue }
                receiveEnded(token.slot, &state)
                guard completion.result >= 0 else { return .receiveStopped(token.slot) }
                // The kernel reports why it woke us, not what is there (6.18).
                let unread = state.connections[token.slot].descriptor.unreadByteCount
                return .readable(token.slot, hasBytes: unread > 0)
            case .writable:
                // Of a connection that is broken the next call tells.
                guard isCurrent(token, &state) else { continue }
                state.connections[token.slot].flags.remove(.sending)
                return .writable(token.slot)
            case .accept:
                return acceptCompleted(completion, &state)
            case .connect:
                guard isCurrent(token, &state) else { continue }
                state.connections[token.slot].flags.remove(.connecting)
                return completion.result >= 0
                    ? .connected(token.slot)
                    : .connectFailed(token.slot, Errno(rawValue: -completion.result))
            case .doorbell:
                doorbellRang()
                return .doorbell
            case .cancel:
                cancelFailed(token, &state)
                continue
            case .cancelAccept:
                if let event = cancelAcceptFailed(token) { return event }
            case .close:
                defect("close", Errno(rawValue: -completion.result))
            case .installation:
                if completion.result >= 0 { Descriptor(rawValue: completion.result).close() }
                continue
            case .socket:
                if completion.result >= 0 {
                    ring.submit(.close(.registered(slot: completion.result)), token: .socket)
                }
                continue
            case nil:
                preconditionFailure("a completion of nothing that was asked for")
            }
        }
        return nil
    }

    /// A receive brought bytes, its end, or the want of a buffer.
    @inline(__always)
    private mutating func receiveCompleted(
        _ completion: Completion,
        _ state: inout WorkerState
    ) -> Event? {
        let slot = completion.token.slot
        let current = isCurrent(completion.token, &state)
        let none: UInt16? = KnownFault.bufferWithoutFlag.isBack ? 0 : nil
        if let number = completion.bufferID ?? none {
            let byteCount = max(0, Int(completion.result))
            let buffer = state.buffers.received(number, byteCount: byteCount)
            if current, byteCount > 0 {
                if !completion.hasMore, !KnownFault.endAfterBytesMissed.isBack {
                    receiveEnded(slot, &state)
                }
                return .received(slot, buffer)
            }
            state.buffers.release(buffer)
        }
        guard current, !completion.hasMore else { return nil }
        receiveEnded(slot, &state)
        switch completion.result {
        case 0:
            return .receiveEnded(slot, nil)
        case let result:
            return receiveFailed(slot, Errno(rawValue: -result), &state)
        }
    }

    @inline(never)
    private mutating func receiveFailed(
        _ slot: UInt32,
        _ error: Errno,
        _ state: inout WorkerState
    ) -> Event {
        switch ErrnoPolicy.ofTransfer(error) {
        case .again: return .receiveStopped(slot)
        case .starved:
            supply.noteStarvation(state.counters)
            return .starved(slot)
        case .defect: defect("recv", error)
        case .ordinaryEnd, .overload, .broken: return .receiveEnded(slot, error)
        }
    }

    @inline(__always)
    func receiveEnded(_ slot: UInt32, _ state: inout WorkerState) {
        state.connections[slot].flags.subtract([.receiving, .receiveEnding, .polling])
    }

    /// "Not found" or "too late". The operation's own completion tells what became of it; should
    /// none come, a connection that is being cut is shut down, which ends everything.
    @inline(never)
    private mutating func cancelFailed(_ token: Token, _ state: inout WorkerState) {
        guard state.connections.isCurrent(slot: token.slot, generation: token.generation) else {
            return
        }
        state.connections[token.slot].flags.remove(.receiveEnding)
        if state.connections[token.slot].flags.contains(.aborting) {
            _ = ring.shutdown(state.connections[token.slot].descriptor, .both)
        }
    }

    /// "Not found" or "too late", as with any cancellation. Where the accept goes on, it may have
    /// to be asked again.
    @inline(never)
    private mutating func cancelAcceptFailed(_ token: Token) -> Event? {
        let index = Int(token.slot)
        guard listeners[index].isAccepting else { return nil }
        listeners[index].isEnding = false
        return .acceptGoesOn(listener: index)
    }

    @inline(never)
    private mutating func acceptCompleted(
        _ completion: Completion,
        _ state: inout WorkerState
    ) -> Event {
        let index = Int(completion.token.slot)
        if !completion.hasMore {
            listeners[index].isAccepting = false
            listeners[index].isEnding = false
        }
        if completion.result >= 0 {
            let descriptor =
                registersFiles
                ? Descriptor.registered(slot: completion.result)
                : Descriptor(rawValue: completion.result)
            return .accepted(listener: index, descriptor)
        }
        return .acceptEnded(listener: index, Errno(rawValue: -completion.result))
    }
}
