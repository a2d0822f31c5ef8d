// ListenerSet: the listening sockets of a group of workers. They are opened here, or come from
// somebody who listened before: an earlier group, another process, systemd.

public import Net

/// Sockets that listen on one address already, or are bound to it.
public struct ListeningSockets: Sendable {
    /// What was asked for: its port may be 0, where theirs is the one that the kernel chose.
    public let address: SocketAddress
    /// At least one. A connection waits in the queue of one of them.
    public let descriptors: [Descriptor]

    /// Sockets by their address.
    public init(address: SocketAddress, descriptors: [Descriptor]) {
        self.address = address
        self.descriptors = descriptors
    }

    /// Other descriptors of the same sockets.
    public func duplicate() throws(SystemError) -> ListeningSockets {
        var copies: [Descriptor] = []
        do throws(SystemError) {
            for descriptor in descriptors { copies.append(try descriptor.duplicate()) }
        } catch {
            for copy in copies { copy.close() }
            throw error
        }
        return ListeningSockets(address: address, descriptors: copies)
    }

    /// Sockets that are bound and do not listen yet, for a group of so many workers: for whoever is
    /// to lose the right to bind. The kernel spreads connections over several of them.
    public static func bound(
        _ options: ListenOptions,
        count: Int
    ) throws(SystemError) -> ListeningSockets {
        var options = options
        let wanted = options.address
        options.sharesPort = count > 1
        if options.sharesPort { try Socket.claim(options.address) }
        var descriptors: [Descriptor] = []
        do throws(SystemError) {
            for number in 0..<count {
                descriptors.append(try Socket.bound(options))
                // Where the kernel chose the port, the others take the same.
                if number == 0 { options.address = try Socket.localAddress(of: descriptors[0]) }
            }
        } catch {
            for descriptor in descriptors { descriptor.close() }
            throw error
        }
        return ListeningSockets(address: wanted, descriptors: descriptors)
    }

    /// Closes them.
    public func close() { for descriptor in descriptors { descriptor.close() } }
}

/// Who accepts from which socket: every worker from one at least for each address.
struct ListenerSet: Sendable {
    struct Listener: Sendable {
        let descriptor: Descriptor
        /// The number of its address.
        let address: Int
    }

    /// What was asked for, and where it is listened.
    private let requested: [SocketAddress]
    private(set) var addresses: [SocketAddress] = []
    private(set) var ofWorkers: [[Listener]]

    /// Opens what is not inherited. Sockets that were inherited for other addresses are closed.
    init(_ plan: GroupPlan) throws(StartFailure) {
        requested = plan.listeners.map(\.address)
        ofWorkers = Array(repeating: [], count: plan.workerCount)
        var inherited = plan.inherited
        var current = plan.listeners.first?.address
        do throws(SystemError) {
            for options in plan.listeners {
                current = options.address
                if let place = inherited.firstIndex(where: { $0.address == options.address }) {
                    try take(inherited.remove(at: place), options)
                } else {
                    try take(.bound(options, count: plan.workerCount), options)
                }
            }
        } catch {
            for listener in ofWorkers.joined() { listener.descriptor.close() }
            for sockets in inherited { sockets.close() }
            throw .listener(current!, error)
        }
        for sockets in inherited { sockets.close() }
    }

    /// What anybody accepts from.
    var all: [Descriptor] { ofWorkers.joined().map(\.descriptor) }

    /// What a worker accepts from.
    func descriptors(ofWorker number: Int) -> [Descriptor] { ofWorkers[number].map(\.descriptor) }

    /// Closes what is for a worker and those behind it.
    func close(fromWorker number: Int) {
        for listener in ofWorkers[number...].joined() { listener.descriptor.close() }
    }

    /// Other descriptors of the sockets on some addresses.
    func duplicates(on wanted: [SocketAddress]) -> [ListeningSockets] {
        requested.indices.filter { wanted.contains(requested[$0]) }.compactMap { number in
            let descriptors = ofWorkers.joined().filter { $0.address == number }
                .compactMap { try? $0.descriptor.duplicate() }
            guard !descriptors.isEmpty else { return nil }
            return ListeningSockets(address: requested[number], descriptors: descriptors)
        }
    }

    /// Shares out sockets: none may be left without a worker, for connections wait in it; and a
    /// worker that is left without one accepts from another's.
    private mutating func take(
        _ sockets: ListeningSockets,
        _ options: ListenOptions
    ) throws(SystemError) {
        let address = addresses.count
        addresses.append(try Socket.localAddress(of: sockets.descriptors[0]))
        for (place, descriptor) in sockets.descriptors.enumerated() {
            ofWorkers[place % ofWorkers.count].append(
                Listener(descriptor: descriptor, address: address)
            )
        }
        for descriptor in sockets.descriptors {
            // An accept that finds nobody must not wait; whoever opened the socket may not know.
            descriptor.setWaiting(false)
            try Socket.listen(on: descriptor, options)
        }
        for number in ofWorkers.indices.dropFirst(sockets.descriptors.count) {
            let shared = sockets.descriptors[number % sockets.descriptors.count]
            let descriptor = try shared.duplicate()
            ofWorkers[number].append(Listener(descriptor: descriptor, address: address))
        }
    }
}
