// UpstreamSet: the upstreams of a relay, what is fixed of them at the start, and the table by which
// a source finds its own.

public import Net
import Synchronization

/// How an upstream is chosen for a client.
public enum Balance: String, CaseIterable, Sendable {
    /// In turn, by weight.
    case roundRobin = "round-robin"
    /// The one with the fewest connections for its weight.
    case leastConnections = "least-connections"
    /// Two at random by weight, and of these the one with fewer connections.
    case randomTwo = "random-two"
    /// By the client's address: the same one always, as long as it can be used.
    case sourceHash = "source-hash"
}

/// The upstreams that a relay has; at most 64.
public final class UpstreamSet: Sendable {
    /// In the order in which they were given.
    public let upstreams: [Upstream]
    let balance: Balance
    /// Grows whenever addresses of any upstream have changed.
    private let addressGeneration = Atomic<Int>(0)
    let ordinary: [Int]
    let backups: [Int]
    let hashTable: HashTable

    /// Most upstreams that there can be.
    public static let countMax = 64

    /// - Parameter addresses: of each upstream, in the order to try; none is empty.
    public init(
        _ options: [UpstreamOptions],
        addresses: [[SocketAddress]],
        balance: Balance,
        ejection: EjectionPolicy
    ) {
        precondition(options.count == addresses.count && options.count <= UpstreamSet.countMax)
        upstreams = zip(options, addresses).map {
            Upstream($0, addresses: $1, ejection: ejection)
        }
        self.balance = balance
        ordinary = options.indices.filter { !options[$0].isBackup }
        backups = options.indices.filter { options[$0].isBackup }
        hashTable = HashTable(options)
    }

    /// The place of an upstream's address among the targets of a plan.
    func target(_ upstream: Int, _ address: Int) -> Int {
        upstream * Upstream.addressesMax + address
    }

    /// How often addresses have changed.
    var generation: Int { addressGeneration.load(ordering: .acquiring) }

    /// Addresses have changed: workers find out by the generation.
    func noteAddresses() { addressGeneration.add(1, ordering: .releasing) }
}

/// Which upstream a source belongs to: a table as in Maglev (Eisenbud et al., NSDI 2016, 3.4).
/// Every upstream has an order of preference of its own over all places and takes them in turn, so
/// that where one is missing hardly any place of the others changes hands.
struct HashTable: Sendable {
    /// A prime, a hundred times as many as there may be upstreams with some weight.
    private static let size = 65537
    private let owners: [UInt8]

    /// Follows from the names alone: their order on the command line does not matter.
    init(_ options: [UpstreamOptions]) {
        let members = options.indices.sorted { options[$0].target < options[$1].target }
            .filter { !options[$0].isBackup }
        let size = HashTable.size
        var owners = [UInt8](repeating: .max, count: size)
        let steps = members.map { member in
            let hash = HashTable.hash(options[member].target.utf8)
            let skip = HashTable.mix(hash) % UInt64(size - 1) + 1
            return (offset: Int(hash % UInt64(size)), skip: Int(skip))
        }
        var next = steps.map(\.offset)
        var left = members.isEmpty ? 0 : size
        while left > 0 {
            for (index, member) in members.enumerated() {
                for _ in 0..<options[member].weight where left > 0 {
                    while owners[next[index]] != .max {
                        next[index] = (next[index] + steps[index].skip) % size
                    }
                    owners[next[index]] = UInt8(member)
                    left -= 1
                }
            }
        }
        self.owners = owners
    }

    /// The upstream of a source at a try: others follow where it cannot be used. Nil where there is
    /// none.
    func owner(of source: SocketAddress, attempt: Int) -> Int? {
        var hash = HashTable.hash("\(source.host)".utf8)
        for _ in 0..<attempt { hash = HashTable.mix(hash &+ 1) }
        let owner = owners[Int(hash % UInt64(HashTable.size))]
        return owner == .max ? nil : Int(owner)
    }

    /// FNV-1a, mixed: the same on every host and in every run.
    private static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return mix(hash)
    }

    /// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
