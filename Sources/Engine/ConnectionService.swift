// ConnectionService: connections of a service that go from one process to another. Both sides know
// the service by what it does and by where it listens, as they do its listeners.

import Net

/// A service whose connections may go to another process, or come from one.
public struct ConnectionService: Sendable {
    /// What it does with bytes: connections go only to a service that does the same.
    public let kind: String
    /// Its workers: the first of the groups takes connections, all of them give theirs.
    public let groups: [WorkerGroup]
    /// How long its connections have to come to rest.
    public let nanoseconds: UInt64

    /// A service of some kind.
    public init(kind: String, groups: [WorkerGroup], nanoseconds: UInt64 = 0) {
        self.kind = kind
        self.groups = groups
        self.nanoseconds = nanoseconds
    }

    /// Its name between processes.
    var name: String {
        let addresses = groups.first?.addresses ?? []
        return ([kind] + addresses.map(\.description)).joined(separator: " ")
    }

    /// Whether a name is of a service of the same kind, at one of the same addresses at least.
    func isMeant(by name: String) -> Bool {
        let words = name.split(separator: " ").map(String.init)
        let addresses = Set(groups.first?.addresses.map(\.description) ?? [])
        return words.first == kind && !addresses.isDisjoint(with: words.dropFirst())
    }
}

/// What the two processes say to each other. The giver asks, and the taker answers.
enum HandOverMessage: Equatable {
    /// Whether the taker has such a service; it will be called by that number. The answer is one
    /// byte, 1 or 0.
    case service(number: UInt8, name: String)
    /// So many connections of a service, as descriptors. The answer is a byte for each, 1 where it
    /// has a place. From then on it is the taker's.
    case connections(service: UInt8, count: UInt8)

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 2 else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "s"):
            let name = String(decoding: bytes.dropFirst(2), as: UTF8.self)
            self = .service(number: bytes[1], name: name)
        case UInt8(ascii: "c") where bytes.count == 3:
            self = .connections(service: bytes[1], count: bytes[2])
        default: return nil
        }
    }

    var bytes: [UInt8] {
        switch self {
        case .service(let number, let name): [UInt8(ascii: "s"), number] + Array(name.utf8)
        case .connections(let service, let count): [UInt8(ascii: "c"), service, count]
        }
    }
}
