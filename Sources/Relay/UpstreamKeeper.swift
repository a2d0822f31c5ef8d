// UpstreamKeeper: looks after upstreams from a thread of its own, so that none of it is on the way
// of the bytes. It asks each in its turn whether it serves, and says so where that changes; workers
// only ever read a flag.

public import Engine
public import Net
import Synchronization

/// Checks the upstreams of a relay until it is stopped.
public final class UpstreamKeeper: Sendable {
    private let thread: Thread
    private let bell: Doorbell
    private let isStopping: Stop

    private final class Stop: Sendable {
        let isAsked = Atomic<Bool>(false)
    }

    /// Begins to check.
    ///
    /// - Parameters:
    ///   - beforeServing: called on the keeper's thread; where it fails, nothing is checked.
    ///   - report: called on the keeper's thread, with a line for each change.
    public init(
        _ set: UpstreamSet,
        _ check: HealthCheck,
        beforeServing: ThreadStart? = nil,
        report: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let (bell, stop) = (try Doorbell(), Stop())
        self.bell = bell
        isStopping = stop
        thread = try Thread(name: "checks") {
            do throws(SystemError) {
                try beforeServing?()
            } catch {
                return report("upstreams are not checked: \(error)")
            }
            var round = CheckRound(set, check, report)
            round.run(until: bell) { stop.isAsked.load(ordering: .acquiring) }
        }
    }

    /// Ends the checks that are under way, and the thread.
    public func stop() {
        isStopping.isAsked.store(true, ordering: .releasing)
        bell.ring()
        thread.join()
    }
}

/// The checks of all upstreams, side by side.
private struct CheckRound: ~Copyable {
    private struct Place {
        var health = Health()
        var nextAt: UInt64
        /// When the check under way has to be over; nil where none is.
        var deadline: UInt64?
    }

    private let set: UpstreamSet
    private let check: HealthCheck
    private let report: @Sendable (String) -> Void
    private var places: [Place]
    private let probes: UnsafeMutableBufferPointer<Probe>
    private static let bellToken = UInt64.max

    init(
        _ set: UpstreamSet,
        _ check: HealthCheck,
        _ report: @escaping @Sendable (String) -> Void
    ) {
        self.set = set
        self.check = check
        self.report = report
        let (now, count) = (Clock.monotonicNanoseconds(), set.upstreams.count)
        // Spread over an interval, so that no host gets all of them at once.
        places = (0..<count).map {
            Place(nextAt: now + check.intervalNanoseconds / UInt64(count) * UInt64($0))
        }
        probes = .allocate(capacity: count)
        for number in 0..<count {
            (probes.baseAddress! + number).initialize(to: Probe(check, []))
        }
    }

    deinit {
        probes.deinitialize()
        probes.deallocate()
    }

    mutating func run(until bell: Doorbell, _ isOver: () -> Bool) {
        guard let poll = try? EventPoll(capacity: 64),
            poll.add(bell.descriptor, .readable, token: CheckRound.bellToken) == nil
        else { return report("upstreams are not checked: there is no descriptor left for it") }
        while !isOver() {
            let count = poll.wait(forAtMost: timeToNext(Clock.monotonicNanoseconds()))
            for index in 0..<max(0, count) where poll.event(index).token != CheckRound.bellToken {
                step(Int(poll.event(index).token), poll)
            }
            passMoments(Clock.monotonicNanoseconds(), poll)
        }
    }

    private func timeToNext(_ now: UInt64) -> UInt64 {
        let next = places.map { $0.deadline ?? $0.nextAt }.min() ?? .max
        return next > now ? next - now : 0
    }

    private mutating func passMoments(_ now: UInt64, _ poll: borrowing EventPoll) {
        for number in places.indices {
            if let deadline = places[number].deadline {
                if deadline <= now { ended(number, .failed(probes[number].want)) }
            } else if places[number].nextAt <= now {
                begin(number, now, poll)
            }
        }
    }

    private mutating func begin(_ number: Int, _ now: UInt64, _ poll: borrowing EventPoll) {
        let early = UInt64.random(in: 0...check.intervalNanoseconds / 10)
        places[number].nextAt = now + check.intervalNanoseconds - early
        places[number].deadline = now + min(check.timeoutNanoseconds, check.intervalNanoseconds)
        probes[number] = Probe(check, set.upstreams[number].addresses)
        goOn(number, probes[number].start(), since: 0, poll)
    }

    private mutating func step(_ number: Int, _ poll: borrowing EventPoll) {
        guard places[number].deadline != nil else { return }
        let before = probes[number].addressNumber
        goOn(number, probes[number].step(), since: before, poll)
    }

    private mutating func goOn(
        _ number: Int,
        _ outcome: Probe.Outcome,
        since before: Int,
        _ poll: borrowing EventPoll
    ) {
        guard outcome == .pending else { return ended(number, outcome) }
        guard probes[number].addressNumber != before else { return }
        let interest: Readiness = [.readable, .writable, .peerFinished, .edge]
        if let error = poll.add(probes[number].descriptor, interest, token: UInt64(number)) {
            ended(number, .failed("\(error)"))
        }
    }

    private mutating func ended(_ number: Int, _ outcome: Probe.Outcome) {
        places[number].deadline = nil
        probes[number] = Probe(check, [])
        let succeeded = outcome == .succeeded
        let upstream = set.upstreams[number]
        upstream.noteCheck(succeeded: succeeded)
        guard places[number].health.note(succeeded: succeeded, check) else { return }
        upstream.setUp(succeeded)
        var line = "upstream \(upstream.options.target) is \(succeeded ? "up again" : "down")"
        if case .failed(let reason) = outcome { line += ": \(reason)" }
        report(line)
    }
}
