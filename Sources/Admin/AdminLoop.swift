// AdminLoop: the one thread of the admin endpoint. It accepts, lets each exchange go on as far as
// its socket allows, runs what asks for readings, and ends what takes too long. It has a few
// places, which it gives to whoever came last: a newcomer mostly has his request with him, and who
// has been silent for long is mostly no scraper.

import Net
import Synchronization

/// What other threads may say to the loop.
final class AdminControl: Sendable {
    let doorbell: Doorbell
    private let stop = Atomic<Bool>(false)

    init() throws(SystemError) { doorbell = try Doorbell() }

    var isStopRequested: Bool { stop.load(ordering: .acquiring) }

    func requestStop() {
        stop.store(true, ordering: .releasing)
        doorbell.ring()
    }
}

/// The loop. It is made by one thread and handed to another as a whole, which runs it to its end.
final class AdminLoop: @unchecked Sendable {
    /// Connections at once.
    static let connectionsMax = 16
    /// Connections accepted in a turn, so that a flood does not keep deadlines waiting.
    private static let acceptsMax = 64
    /// How long accepting pauses where it fails.
    private static let pauseNanoseconds: UInt64 = 100 * .nanosecondsPerMillisecond
    /// How long the end waits for a reading that is being taken.
    private static let farewellNanoseconds = UInt64.nanosecondsPerSecond

    private enum Watched {
        static let doorbell = UInt64.max
        static let listener = UInt64.max - 1
    }

    private let poll: EventPoll
    private let listener: Listener
    private let control: AdminControl
    private let executor: AdminExecutor
    private var cache: ReadingCache
    private var exchanges = [Exchange?](repeating: nil, count: connectionsMax)
    /// How often each place was given away: an event of a former holder is told by it.
    private var generations = [UInt32](repeating: 0, count: connectionsMax)
    private var hasToAccept = true
    private var acceptsAgainAt: UInt64 = 0
    /// A descriptor that is held so that there is one when all others are taken: the admin endpoint
    /// is most needed then.
    private var spare: Doorbell?

    init(
        _ listener: Listener,
        _ control: AdminControl,
        source: @escaping @Sendable () async -> ProcessReading
    ) throws(SystemError) {
        self.listener = listener
        self.control = control
        executor = AdminExecutor(doorbell: control.doorbell)
        cache = ReadingCache(executor: executor, doorbell: control.doorbell, source: source)
        poll = try EventPoll(capacity: AdminLoop.connectionsMax + 2)
        spare = try Doorbell()
        let watched = [
            (control.doorbell.descriptor, Watched.doorbell),
            (listener.descriptor, Watched.listener),
        ]
        for (descriptor, token) in watched {
            if let error = poll.add(descriptor, [.readable, .edge], token: token) {
                throw SystemError("epoll_ctl", error)
            }
        }
    }

    /// Serves until a stop is requested.
    func run() {
        while !control.isStopRequested { turn() }
        for slot in exchanges.indices { exchanges[slot]?.end() }
        listener.close()
        leaveReading()
    }

    private func turn() {
        let now = Clock.monotonicNanoseconds()
        let count = poll.wait(forAtMost: nextDeadline.map { $0 > now ? $0 - now : 0 })
        for index in 0..<max(0, count) { handle(poll.event(index).token) }
        executor.run()
        answerWaiting()
        accept()
        expire()
        if spare == nil, let again = try? Doorbell() {
            spare = again
            acceptsAgainAt = 0
        }
    }

    /// When something is to be done though nothing happens; nil where nothing is.
    private var nextDeadline: UInt64? {
        let deadlines = exchanges.compactMap { $0?.deadline }
        return (hasToAccept ? deadlines + [acceptsAgainAt] : deadlines).min()
    }

    private func handle(_ token: UInt64) {
        switch token {
        case Watched.doorbell: control.doorbell.silence()
        case Watched.listener: hasToAccept = true
        default:
            let slot = Int(UInt32(truncatingIfNeeded: token))
            guard generations[slot] == UInt32(token >> 32) else { return }
            advance(slot)
        }
    }

    private func advance(_ slot: Int) {
        let now = Clock.monotonicNanoseconds()
        exchanges[slot]?.advance(at: now) { request in
            if let answer = Site.answerWithoutReading(request.path) { return answer }
            return cache.reading(at: now).map { Site.answer(request.path, $0) }
        }
        vacate(slot)
    }

    /// Frees the place of an exchange that has ended.
    private func vacate(_ slot: Int) {
        guard exchanges[slot]?.step == .ended else { return }
        exchanges[slot] = nil
        generations[slot] &+= 1
    }

    /// Answers those that wait for a reading, once it is there.
    private func answerWaiting() {
        let now = Clock.monotonicNanoseconds()
        guard let reading = cache.takeArrived(at: now) else { return }
        for slot in exchanges.indices {
            guard case .awaiting(let request)? = exchanges[slot]?.step else { continue }
            let answer = Site.answer(request.path, reading)
            exchanges[slot]?.send(answer, isHead: request.isHead, at: now)
            vacate(slot)
        }
    }

    /// Ends what takes too long.
    private func expire() {
        let now = Clock.monotonicNanoseconds()
        for slot in exchanges.indices {
            guard let exchange = exchanges[slot], exchange.deadline <= now else { continue }
            if case .awaiting(let request) = exchange.step {
                exchanges[slot]?.send(.noReading, isHead: request.isHead, at: now)
            } else {
                exchanges[slot]?.dismiss(.overdue)
            }
            vacate(slot)
        }
    }

    /// Waits a moment for a reading that is being taken: its task runs on this thread alone.
    private func leaveReading() {
        cache.cancel()
        let deadline = Clock.monotonicNanoseconds() + AdminLoop.farewellNanoseconds
        while cache.isAsking {
            executor.run()
            let now = Clock.monotonicNanoseconds()
            guard cache.takeArrived(at: now) == nil, now < deadline else { return }
            _ = poll.wait(forAtMost: deadline - now)
            control.doorbell.silence()
        }
    }
}

// ---- accepting ----

extension AdminLoop {
    private func accept() {
        guard hasToAccept, Clock.monotonicNanoseconds() >= acceptsAgainAt else { return }
        for _ in 0..<AdminLoop.acceptsMax {
            switch listener.descriptor.accept() {
            case .success(let descriptor): admit(descriptor)
            case .failure(.tryAgain):
                hasToAccept = false
                return
            // The client has gone again.
            case .failure(.connectionAborted), .failure(.protocolError): continue
            case .failure(.tooManyFiles) where spare != nil,
                .failure(.tooManyFilesInSystem) where spare != nil:
                spare = nil
            case .failure:
                acceptsAgainAt = Clock.monotonicNanoseconds() + AdminLoop.pauseNanoseconds
                return
            }
        }
    }

    private func admit(_ descriptor: Descriptor) {
        var exchange = Exchange(descriptor, at: Clock.monotonicNanoseconds())
        guard let slot = exchanges.firstIndex(where: { $0 == nil }) ?? makeRoom() else {
            exchange.dismiss(.crowded)
            return
        }
        let token = UInt64(generations[slot]) << 32 | UInt64(slot)
        guard poll.add(descriptor, [.readable, .writable, .edge], token: token) == nil else {
            exchange.end()
            return
        }
        exchanges[slot] = exchange
        advance(slot)
    }

    /// Takes the place of whoever has been without a whole request for longest, or of whoever has
    /// got his answer and does not go; nil where all wait for answers.
    private func makeRoom() -> Int? {
        let idle = exchanges.indices.filter {
            exchanges[$0]?.step == .receiving || exchanges[$0]?.step == .finishing
        }
        let longest = idle.min { exchanges[$0]!.deadline < exchanges[$1]!.deadline }
        if let longest {
            exchanges[longest]?.dismiss(.crowded)
            vacate(longest)
        }
        return longest
    }
}
