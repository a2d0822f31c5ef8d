// How what the load knows is written on the command line: sizes of requests, addresses to connect
// from, shares of a load that several machines make.

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

    /// The addresses that a part's connections spread over: a few hundred to each at most, since
    /// each has some 28,000 ports (ip_local_port_range), and no more addresses than connections.
    /// No two parts have one in common, so that their connections are told apart by them.
    func addresses(connections: Int, part: Part = .whole) -> [SocketAddress] {
        var placesBefore = 0
        let sizes = prefixes.map { min(SourceList.usable($0).count, SourceList.sizeMax) }
        let share = part.share(of: sizes.reduce(0, +))
        let pieces = zip(prefixes, sizes).compactMap { prefix, size -> Piece? in
            let places = share.clamped(to: placesBefore..<placesBefore + size)
            defer { placesBefore += size }
            guard !places.isEmpty else { return nil }
            let skipped = SourceList.usable(prefix).lowerBound - placesBefore
            return Piece(
                prefix: prefix,
                places: places.lowerBound + skipped..<places.upperBound + skipped
            )
        }
        let wanted = max(1, min(connections, SourceList.addressesMax))
        return pieces.flatMap { piece in
            piece.places.prefix(max(1, wanted / pieces.count)).map { piece.prefix[$0] }
        }
    }

    private struct Piece {
        let prefix: AddressPrefix
        let places: Range<Int>
    }

    /// The first and the last address of a network are not hosts', where it has others.
    private static func usable(_ prefix: AddressPrefix) -> Range<Int> {
        prefix.count > 2 ? 1..<prefix.count - 1 : 0..<prefix.count
    }

    /// More than are ever used, and few enough to be added up.
    private static let sizeMax = 1 << 32
    private static let addressesMax = 256

    var defaultValueDescription: String { "the kernel's choice" }
}

/// `--part`: which share of the load this machine makes, such as `0/4`.
struct Part: ExpressibleByArgument, Equatable {
    /// From 0 up to `count`.
    let number: Int
    let count: Int

    /// All of it.
    static let whole = Part(number: 0, count: 1)

    init(number: Int, count: Int) {
        self.number = number
        self.count = count
    }

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy(\.isNumber) }),
            let number = Int(parts[0]), let count = Int(parts[1]),
            (1...Part.countMax).contains(count), (0..<count).contains(number)
        else { return nil }
        self.init(number: number, count: count)
    }

    /// Its share of a number of things: consecutive ones, one more where they do not come out even.
    func share(of all: Int) -> Range<Int> {
        let (each, rest) = all.quotientAndRemainder(dividingBy: count)
        let first = each * number + min(rest, number)
        return first..<(first + each + (number < rest ? 1 : 0))
    }

    private static let countMax = 10_000

    var defaultValueDescription: String { "\(number)/\(count)" }
}
