// AccessList: who may connect, by networks. Of all networks that an address is in, the smallest
// decides; where it is in none, whether anything is allowed at all: a list that allows some allows
// nobody else.

public import Net

/// Networks whose addresses may connect, and networks whose addresses may not.
public struct AccessList: Equatable, Sendable {
    private struct Rule: Equatable, Sendable {
        var prefix: AddressPrefix
        var permits: Bool
    }

    // The longest prefix first; of equal ones the one that denies.
    private let rules: [Rule]
    private let permitsOthers: Bool

    /// Everybody may connect where both are empty.
    public init(allow: [AddressPrefix] = [], deny: [AddressPrefix] = []) {
        let all =
            deny.map { Rule(prefix: $0, permits: false) }
            + allow.map { Rule(prefix: $0, permits: true) }
        rules = all.enumerated()
            .sorted {
                ($1.element.prefix.length, $0.offset) < ($0.element.prefix.length, $1.offset)
            }
            .map(\.element)
        permitsOthers = allow.isEmpty
    }

    /// Whether an address may connect.
    public func permits(_ address: SocketAddress) -> Bool {
        rules.first { $0.prefix.contains(address) }?.permits ?? permitsOthers
    }
}
