// ModelPoll: epoll of the model host. It keeps to what epoll(7) promises for edges and to nothing
// beyond: an event comes for news and once, it may stand for several, or for nothing any more, and
// which descriptors a wait brings first is left to chance.

@_spi(Simulation) import Engine
import Net

/// A descriptor that is watched.
struct Watch {
    let token: UInt64
    let interest: Readiness
    /// Something has happened that was not reported. All that is there at first is news.
    var hasNews = true
    /// The news is not reported before.
    var notBefore: UInt64 = 0
}

/// What the host knows of its epoll, beside what each socket knows.
struct ModelPoll {
    var listener: Watch?
    var doorbell: Watch?
    /// What the last wait brought.
    var events: [(token: UInt64, readiness: Readiness)] = []
    /// Whether the last wait was allowed to sleep: the worker had nothing to do.
    var mayHaveSlept = false
    /// Descriptors can fail to be watched once the worker runs.
    var hasStarted = false
    /// The last accept said EAGAIN, which was not true.
    var listenerHasLied = false
    /// What had come of everything when the last wait began, and how long it took.
    var gainsBefore = 0
    var nanosecondsSlept: UInt64 = 0
}

/// Something that is watched.
private enum Watched {
    case listener
    case doorbell
    case socket(ModelSocket)
}

extension ModelHost {
    /// epoll_wait(2).
    func wait(forAtMost nanoseconds: UInt64?) -> Int {
        enters += 1
        let isVain = poll.gainsBefore == gains && poll.nanosecondsSlept < 10_000
        vainEnters = isVain ? vainEnters + 1 : 0
        poll.gainsBefore = gains
        let start = timeline.now
        poll.mayHaveSlept = nanoseconds != 0
        poll.events = []
        timeline.now += chance.time(500...5000)
        letHappen()
        var isInterrupted = makes(.interrupted)
        if !isInterrupted { collect() }
        if nanoseconds != 0, !isInterrupted {
            let deadline = nanoseconds.map { start + $0 }
            sleep(until: deadline, nextMoment: { self.nextNews }, then: collect) {
                guard poll.events.isEmpty, failure == nil else { return false }
                isInterrupted = makes(.interrupted)
                return !isInterrupted && !makes(.wakesEarly)
            }
        }
        poll.nanosecondsSlept = timeline.now - start
        return isInterrupted ? -Int(Errno.interrupted.rawValue) : poll.events.count
    }

    /// epoll_ctl(2), to add.
    func watch(_ descriptor: Descriptor, _ interest: Readiness, token: UInt64) -> Errno? {
        pass()
        if poll.hasStarted, makes(.watchFails) {
            if let socket = socket(descriptor) {
                clients[socket.client].mayBeCut = true
                socket.mustBeReset = true
            }
            return chance.pick([.outOfMemory, Errno.noSpace])
        }
        let watch = Watch(token: token, interest: interest)
        if descriptor == control.doorbell {
            poll.doorbell = watch
            return nil
        }
        switch holder(descriptor) {
        case .listener: poll.listener = watch
        case .socket(let socket):
            if socket.watch != nil { fail("client \(socket.client) is watched twice") }
            socket.watch = watch
        case nil:
            fail("epoll_ctl on descriptor \(descriptor.rawValue), which is closed")
            return .badDescriptor
        }
        return nil
    }

    func unwatch(_ descriptor: Descriptor) {
        guard case .socket(let socket) = holder(descriptor), socket.watch != nil else {
            return fail("epoll_ctl ends no watch of descriptor \(descriptor.rawValue)")
        }
        socket.watch = nil
    }

    /// A client has read: tells of the room, once there is enough of it.
    func tellOfRoom(_ socket: ModelSocket) {
        guard socket.lacksRoom, isWritable(socket) else { return }
        socket.lacksRoom = false
        socket.watch?.hasNews = true
    }

    /// The kernel does not speak of room until a third is free.
    private func isWritable(_ socket: ModelSocket) -> Bool {
        (plan.sendQueueBytes - socket.queued) * 3 >= plan.sendQueueBytes
    }

    // ---- events ----

    private var watched: [Watched] {
        var all: [Watched] = poll.doorbell == nil ? [] : [.doorbell]
        for holder in descriptors {
            switch holder {
            case .listener: if poll.listener != nil { all.append(.listener) }
            case .socket(let socket): if socket.watch != nil { all.append(.socket(socket)) }
            case nil: break
            }
        }
        return all
    }

    /// Takes in events of some of those with news.
    private func collect() {
        var due = watched.filter(isDue)
        var limit = plan.eventsMax
        if due.count > 1, makes(.fewEvents) { limit = min(limit, chance.within(1...due.count)) }
        while poll.events.count < limit, !due.isEmpty {
            report(due.remove(at: chance.below(due.count)))
        }
        let others = watched
        if poll.events.count < limit, !others.isEmpty, makes(.spurious) {
            let lie: Readiness = chance.pick([[], .readable, .writable, [.readable, .writable]])
            report(others[chance.below(others.count)], lie)
        }
    }

    private func isDue(_ item: Watched) -> Bool {
        switch item {
        // Not an edge: it is reported for as long as it is so.
        case .doorbell: return hasRung
        case .listener:
            guard let watch = poll.listener, watch.hasNews else { return false }
            return watch.notBefore <= timeline.now
        case .socket(let socket):
            guard let watch = socket.watch, watch.hasNews, watch.notBefore <= timeline.now else {
                return false
            }
            guard makes(.delay) else { return true }
            let most: UInt64 = chance.pick([1000, 100_000, 20_000_000])
            socket.watch?.notBefore = timeline.now + chance.time(1...most)
            return false
        }
    }

    /// When held-up news will be told or something happens, or nil.
    private var nextNews: UInt64? {
        var earliest = timeline.next
        for case .socket(let socket) in watched {
            if let watch = socket.watch, watch.hasNews, watch.notBefore > timeline.now {
                earliest = min(earliest ?? .max, watch.notBefore)
            }
        }
        return earliest
    }

    /// Reports how something is now, whatever the news was; nothing where it is no way any more.
    private func report(_ item: Watched, _ lie: Readiness = []) {
        let watch: Watch?
        let readiness: Readiness
        switch item {
        case .doorbell: (watch, readiness) = (poll.doorbell, hasRung ? .readable : [])
        case .listener:
            (watch, readiness) = (poll.listener, listenerReadiness)
            poll.listener?.hasNews = false
        case .socket(let socket):
            (watch, readiness) = (socket.watch, self.readiness(socket))
            socket.watch?.hasNews = false
            // Looking is asking to be told.
            if !isWritable(socket) { socket.lacksRoom = true }
        }
        guard let watch else { return }
        let told = readiness.union(lie).intersection(watch.interest.union([.hangUp, .error]))
        guard !told.isEmpty else { return }
        note(6, Int(truncatingIfNeeded: watch.token), Int(told.rawValue))
        poll.events.append((watch.token, told))
    }

    private var listenerReadiness: Readiness {
        if listenerIsBroken { return [.readable, .writable, .hangUp] }
        return backlog.isEmpty ? [] : .readable
    }

    private func readiness(_ socket: ModelSocket) -> Readiness {
        var readiness: Readiness = []
        if socket.arrived > 0 { readiness.insert(.readable) }
        if socket.mark != nil { readiness.insert(.urgent) }
        if socket.peerHasFinished { readiness.formUnion([.readable, .peerFinished]) }
        if socket.peerHasFinished, socket.isWriteShut { readiness.insert(.hangUp) }
        if socket.isWriteShut || isWritable(socket) { readiness.insert(.writable) }
        if socket.isBroken {
            readiness.formUnion([.readable, .writable, .peerFinished, .hangUp])
        }
        if socket.hasError { readiness.insert(.error) }
        return readiness
    }
}

extension Errno {
    static let noSpace = Errno(rawValue: 28)
}
