// ServiceBooks: what a service has done and is doing, over all its generations, for whoever asks:
// the last line, SIGUSR1, and the admin endpoint from a thread of its own.

import Admin
import Engine
import Net
import Relay
import Synchronization

/// The books of one service.
final class ServiceBooks: Sendable {
    /// What is asked of a generation that runs.
    struct Entry: Sendable {
        let group: WorkerGroup
        let backends: [Backend]
        let limits: Limits
        let upstreams: UpstreamSet?
        /// Counts of the service's own, but for those of upstreams.
        let ownCounts: @Sendable () -> [NamedCount]

        init(_ plan: ServicePlan, _ group: WorkerGroup) {
            self.group = group
            backends = plan.group.backends
            limits = plan.group.limits
            upstreams = plan.upstreams
            ownCounts = plan.ownCounts
        }

        /// Whether a worker of it is there.
        fileprivate func has(_ place: Place) -> Bool {
            place.number < backends.count && backends[place.number] == place.backend
        }
    }

    /// Which counts belong together: counters only ever grow, also where settings change.
    fileprivate struct Place: Hashable, Comparable {
        let number: Int
        let backend: Backend

        static func < (one: Place, other: Place) -> Bool {
            (one.number, one.backend.rawValue) < (other.number, other.backend.rawValue)
        }
    }

    private struct State {
        /// Oldest first; the last one takes connections.
        var entries: [Entry] = []
        var past: [Place: Counters] = [:]
        var pastOwn: [String: UInt64] = [:]
        /// Of upstreams, by their name.
        var pastUpstreams: [String: [String: UInt64]] = [:]
    }

    private let name: String
    private let kind: ServiceKind
    private let state = Mutex(State())
    /// How long a worker has for its answer.
    static let answerNanoseconds: UInt64 = 100 * .nanosecondsPerMillisecond

    init(name: String, kind: ServiceKind) {
        self.name = name
        self.kind = kind
    }

    func begin(_ entry: Entry) { state.withLock { $0.entries.append(entry) } }

    /// A generation's workers have ended.
    func end(_ group: WorkerGroup) {
        state.withLock { state in
            guard let place = state.entries.firstIndex(where: { $0.group === group }) else {
                return
            }
            let entry = state.entries.remove(at: place)
            for (number, snapshot) in group.snapshots(withinNanoseconds: 0).enumerated() {
                let place = Place(number: number, backend: entry.backends[number])
                state.past[place, default: Counters()].add(snapshot.counters)
            }
            for count in entry.ownCounts() { state.pastOwn[count.name, default: 0] += count.value }
            for upstream in entry.upstreams?.upstreams ?? [] {
                let target = upstream.options.target
                for (name, value) in upstream.statistics.fields {
                    state.pastUpstreams[target, default: [:]][name, default: 0] += value
                }
            }
        }
    }

    /// How the service is. Waits for its workers' answers, a tenth of a second at most.
    var reading: ServiceReading {
        state.withLock { state in
            var workers = state.past.mapValues { counters in
                WorkerSnapshot(counters: counters)
            }
            var own = state.pastOwn
            for entry in state.entries {
                let snapshots = entry.group.snapshots(withinNanoseconds: Self.answerNanoseconds)
                for (number, snapshot) in snapshots.enumerated() {
                    let place = Place(number: number, backend: entry.backends[number])
                    workers[place, default: WorkerSnapshot()].add(snapshot)
                }
                for count in entry.ownCounts() { own[count.name, default: 0] += count.value }
            }
            return ServiceReading(
                name: name,
                kind: kind,
                addresses: state.entries.last?.group.addresses.map(\.description) ?? [],
                workers: ServiceBooks.readings(workers, state.entries.last),
                counts: own.sorted { $0.key < $1.key }.map { NamedCount($0.key, $0.value) },
                upstreams: ServiceBooks.upstreams(state)
            )
        }
    }

    private static func readings(
        _ workers: [Place: WorkerSnapshot],
        _ current: Entry?
    ) -> [WorkerReading] {
        let pause = current?.group.acceptPause
        return workers.sorted { $0.key < $1.key }.map { place, snapshot in
            let limits = current.flatMap { $0.has(place) ? $0.limits : nil }
            return WorkerReading(
                number: place.number,
                backend: place.backend,
                counters: snapshot.counters,
                connections: snapshot.connections,
                connectionsMax: limits?.connectionsMax ?? 0,
                buffersFree: snapshot.buffersFree,
                buffers: limits?.bufferCount ?? 0,
                acceptPause: limits == nil ? nil : pause.map { "\($0)" }
            )
        }
    }

    private static func upstreams(_ state: State) -> [UpstreamReading] {
        guard let current = state.entries.last?.upstreams else { return [] }
        let all = state.entries.compactMap(\.upstreams).flatMap(\.upstreams)
        return current.upstreams.map { upstream in
            let target = upstream.options.target
            let same = all.filter { $0.options.target == target }
            return UpstreamReading(
                target: target,
                isUp: upstream.isUp,
                connections: same.reduce(0) { $0 + $1.connectionCount },
                counts: upstream.statistics.fields.map { field in
                    let past = state.pastUpstreams[target]?[field.name] ?? 0
                    let present = same.reduce(0) { sum, other in
                        sum + (other.statistics.fields.first { $0.name == field.name }?.value ?? 0)
                    }
                    return NamedCount(field.name, past + present)
                }
            )
        }
    }
}
