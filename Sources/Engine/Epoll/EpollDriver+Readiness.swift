// Readiness turned into completed work: what the kernel reported is noted, and each call that is
// worth making then is made and becomes an event of the engine.

import Net
import URing

extension EpollDriver where Calls: ~Copyable {
    /// Receives from one connection before the others have theirs.
    private static var receivesInARow: Int { 16 }

    /// Keeps what the kernel reported until a call is made on it.
    @inline(__always)
    mutating func note(
        _ event: (token: UInt64, readiness: Readiness),
        _ state: inout WorkerState
    ) {
        let token = Token(rawValue: event.token)
        switch EventSource(rawValue: token.operation) {
        case .connection:
            let slot = token.slot
            guard state.connections.isCurrent(slot: slot, generation: token.generation) else {
                state.counters.staleCompletions += 1
                return
            }
            let readOn: Readiness = [.urgent, .peerFinished, .hangUp, .error]
            if !event.readiness.isDisjoint(with: readOn) {
                state.connections[slot].flags.formUnion([.readable, .readToEnd])
            }
            if event.readiness.contains(.readable) {
                state.connections[slot].flags.insert(.readable)
            }
            if !event.readiness.isDisjoint(with: [.writable, .hangUp, .error]) {
                state.connections[slot].flags.insert(.writable)
            }
            ready.append(slot)
        case .listener:
            acceptable[Int(token.slot)] = true
            isAcceptDue = true
        case .doorbell:
            doorbellRang = true
        case nil:
            preconditionFailure("an event of nothing that was watched")
        }
    }

    @inline(__always)
    public mutating func next(_ state: inout WorkerState) -> Event? {
        if isAcceptDue, let event = acceptNext(&state) { return event }
        while true {
            guard let slot = current ?? ready.popFirst() else { break }
            if current == nil { receives = 0 }
            current = slot
            if let event = work(on: slot, &state) { return event }
            current = nil
        }
        return doorbellRang ? answerDoorbell() : nil
    }

    @inline(never)
    private mutating func answerDoorbell() -> Event {
        doorbellRang = false
        calls.silence(doorbell)
        return .doorbell
    }

    @inline(never)
    private mutating func acceptNext(_ state: inout WorkerState) -> Event? {
        for index in 0..<listeners.count where accepting[index] && acceptable[index] {
            switch acceptQueued(listeners[index]) {
            case .success(let descriptor):
                if acceptOne[index] { accepting[index] = false }
                return .accepted(listener: index, descriptor)
            case .failure(let error) where error == .tryAgain:
                acceptable[index] = false
            case .failure(let error):
                accepting[index] = false
                return .acceptEnded(listener: index, error)
            }
        }
        isAcceptDue = false
        return nil
    }

    /// Makes the next call that is worth making on a connection; nil when there is none.
    @inline(__always)
    private mutating func work(on slot: UInt32, _ state: inout WorkerState) -> Event? {
        let flags = state.connections[slot].flags
        guard flags.contains(.open) else { return nil }
        if !flags.isDisjoint(with: [.connecting, .unwatched]) { return prelude(slot, &state) }
        if flags.contains([.sending, .writable]) {
            state.connections[slot].flags.remove(.sending)
            if flags.contains(.piped), state.connections[slot].outbox.isEmpty {
                return .writable(slot)
            }
            switch send(slot, &state) {
            case .sent(let count): return .sent(slot, count)
            case .failed(let error): return .sendFailed(slot, error)
            case .underWay: break
            }
        }
        if flags.contains([.receiving, .readable]) {
            guard flags.contains(.bypassing) else { return receiveOnce(slot, &state) }
            state.connections[slot].flags.remove(.receiving)
            // Its sockets never wait, so asking costs no more than looking.
            return .readable(slot, hasBytes: true)
        }
        return nil
    }

    /// What precedes the bytes of a connection: that it is watched, and that it is made.
    private mutating func prelude(_ slot: UInt32, _ state: inout WorkerState) -> Event? {
        let flags = state.connections[slot].flags
        if flags.contains(.unwatched) {
            state.connections[slot].flags.subtract([.connecting, .receiving, .sending])
            return flags.contains(.connecting)
                ? .connectFailed(slot, watchFailure) : .receiveEnded(slot, watchFailure)
        }
        guard state.connections[slot].flags.contains(.writable) else { return nil }
        state.connections[slot].flags.remove(.connecting)
        if let error = calls.takeError(state.connections[slot].descriptor) {
            return .connectFailed(slot, error)
        }
        return .connected(slot)
    }

    @inline(__always)
    private mutating func receiveOnce(_ slot: UInt32, _ state: inout WorkerState) -> Event? {
        guard receives < EpollDriver.receivesInARow else {
            later.append(slot)
            return nil
        }
        guard let buffer = state.buffers.take() else {
            state.connections[slot].flags.remove(.receiving)
            return .starved(slot)
        }
        let capacity = state.buffers.bufferBytes
        let start = state.buffers.start(of: buffer)
        let descriptor = state.connections[slot].descriptor
        let result = untilBelieved {
            calls.receive(descriptor, into: start, byteCount: capacity)
        }
        if result > 0 {
            receives += 1
            // A short receive has emptied the socket, and the next byte is an edge. Not so once FIN
            // or an error has been reported: those give no further edge. Nor is it so at an urgent
            // byte, where every receive ends.
            if result < capacity, !state.connections[slot].flags.contains(.readToEnd) {
                state.connections[slot].flags.remove(.readable)
            }
            state.buffers.fill(buffer, byteCount: result)
            return .received(slot, buffer)
        }
        state.buffers.release(buffer)
        if result == -Int(Errno.tryAgain.rawValue) {
            state.connections[slot].flags.remove(.readable)
            return nil
        }
        state.connections[slot].flags.remove(.receiving)
        let error = result == 0 ? nil : Errno(rawValue: Int32(truncatingIfNeeded: -result))
        return .receiveEnded(slot, error)
    }
}
