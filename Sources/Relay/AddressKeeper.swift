// AddressKeeper: looks upstreams' names up again, from a thread of its own, since a look-up may
// take seconds. What has changed lies with the upstream until each worker has taken note of it.

public import Net
import Synchronization

/// Resolves names again and again until it is stopped.
public final class AddressKeeper: Sendable {
    /// Finds the addresses of a host; empty where there are none, or nobody knows.
    public typealias Resolve = @Sendable (_ host: String, _ port: UInt16) -> [SocketAddress]

    private let bell: Doorbell
    private let state: State

    private final class State: Sendable {
        let isStopping = Atomic<Bool>(false)
        let announced = Mutex<Set<String>>([])
    }

    /// Begins to resolve; the first time after one interval.
    ///
    /// - Parameters:
    ///   - set: of whose names there is at least one; what is written in digits stays as it is.
    ///   - isForbidden: why an address must not be an upstream's, or nil.
    ///   - changed: called when addresses have changed: workers are to be woken.
    ///   - report: called with a line for each change.
    public init(
        _ set: UpstreamSet,
        intervalNanoseconds: UInt64,
        resolve: @escaping Resolve,
        isForbidden: @escaping @Sendable (SocketAddress, _ host: String) -> String?,
        changed: @escaping @Sendable () -> Void,
        report: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let (bell, state) = (try Doorbell(), State())
        self.bell = bell
        self.state = state
        let named = set.upstreams.filter { SocketAddress(host: $0.options.host, port: 0) == nil }
        // Not joined at the end: a look-up under way takes the time that it takes.
        _ = try Thread(name: "names") {
            guard let poll = try? EventPoll(capacity: 1),
                poll.add(bell.descriptor, .readable, token: 0) == nil
            else { return report("names are not resolved again: no descriptor is left for it") }
            while true {
                _ = poll.wait(forAtMost: intervalNanoseconds)
                guard !state.isStopping.load(ordering: .acquiring) else { return }
                var hasChanged = false
                for upstream in named {
                    let options = upstream.options
                    let found = resolve(options.host, options.port)
                    let allowed = found.filter { address in
                        guard let reason = isForbidden(address, options.host) else { return true }
                        let line = "upstream \(options.target): \(address) is not used: \(reason)"
                        let isNew = state.announced.withLock { $0.insert(line).inserted }
                        if isNew { report(line) }
                        return false
                    }
                    guard upstream.setAddresses(AddressOrder.alternating(allowed)) else { continue }
                    hasChanged = true
                    let list = upstream.addresses.map(\.description).joined(separator: ", ")
                    report("upstream \(options.target) has other addresses: \(list)")
                }
                if hasChanged {
                    set.noteAddresses()
                    changed()
                }
            }
        }
    }

    /// Has the thread end, once a look-up that is under way is over.
    public func stop() {
        state.isStopping.store(true, ordering: .releasing)
        bell.ring()
    }
}

/// The order in which the addresses of a name are tried.
public enum AddressOrder {
    /// One of each family in turn, beginning with that of the first (RFC 8305, 4): where one family
    /// does not work from here, the second try is of the other. Each comes once.
    public static func alternating(_ addresses: [SocketAddress]) -> [SocketAddress] {
        var unique: [SocketAddress] = []
        for address in addresses where !unique.contains(address) { unique.append(address) }
        let first = unique.filter { $0.family == unique[0].family }
        let second = unique.filter { $0.family != unique[0].family }
        return (0..<max(first.count, second.count)).flatMap { place in
            [first, second].compactMap { place < $0.count ? $0[place] : nil }
        }
    }
}
