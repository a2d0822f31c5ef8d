// How what the load knows is written on the command line: sizes of requests, addresses to connect
// from.

public import ArgumentParser
public import Load
import Net
import Options

extension SizeDistribution: ExpressibleByArgument {
    /// `64`, `1-64k`, `log:1-64k`, or `64:9,16k:1`: sizes with their weights.
    public init?(argument: String) {
        if argument.contains(":"), !argument.hasPrefix("log:") {
            guard let choices = SizeDistribution.choices(argument) else { return nil }
            self = .weighted(choices)
            return
        }
        let isLogarithmic = argument.hasPrefix("log:")
        let text = isLogarithmic ? argument.dropFirst(4) : Substring(argument)
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let sizes = parts.compactMap { ByteSize(argument: String($0))?.bytes }
        guard sizes.count == parts.count, (1...2).contains(sizes.count),
            let first = sizes.first, let last = sizes.last, 1 <= first, first <= last,
            last <= SizeDistribution.bytesMax
        else { return nil }
        if isLogarithmic {
            self = .logarithmic(first...last)
        } else {
            self = sizes.count == 1 ? .fixed(first) : .even(first...last)
        }
    }

    private static func choices(_ text: String) -> [Choice]? {
        var choices: [Choice] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: ":", omittingEmptySubsequences: false)
            guard pair.count == 2, let size = ByteSize(argument: String(pair[0]))?.bytes,
                let weight = Int(pair[1]), (1...bytesMax).contains(size),
                (1...1_000_000).contains(weight)
            else { return nil }
            choices.append(Choice(bytes: size, weight: weight))
        }
        return choices.count <= 1000 ? choices : nil
    }

    /// The largest size of a request.
    static var bytesMax: Int { 1 << 30 }

    public var defaultValueDescription: String { text }
}

/// `--source`: addresses and prefixes to connect from, such as `127.0.0.2,127.1.0.0/24`.
struct SourceList: ExpressibleByArgument, Equatable {
    var prefixes: [AddressPrefix] = []

    init() {}

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        prefixes = parts.compactMap { AddressPrefix(parsing: String($0)) }
        guard prefixes.count == parts.count else { return nil }
    }

    /// The addresses that a number of connections spreads over: a few hundred to each at most,
    /// since each has some 28,000 ports (ip_local_port_range), and no more addresses than
    /// connections.
    func addresses(connections: Int) -> [SocketAddress] {
        let wanted = max(1, min(connections, SourceList.addressesMax))
        return prefixes.flatMap { prefix -> [SocketAddress] in
            // The first address of a network is not a host's, where it has others.
            let skipped = prefix.count > 2 ? 1 : 0
            let count = min(prefix.count - 2 * skipped, max(1, wanted / prefixes.count))
            return (0..<count).map { prefix[$0 + skipped] }
        }
    }

    private static let addressesMax = 256

    var defaultValueDescription: String { "the kernel's choice" }
}
