// A load that several machines make: each part has its share, and no two have anything in common.

import Net
import Testing

@testable import ringload

struct PartTests {
    @Test func readsParts() {
        #expect(Part(argument: "0/1") == .whole)
        #expect(Part(argument: "3/4") == Part(number: 3, count: 4))
        for text in ["", "4/4", "-1/4", "1", "1/0", "1/4/2", "/4", "1/", "a/b", "0/10001", "+0/4"] {
            #expect(Part(argument: text) == nil, "\(text)")
        }
    }

    private func parts(_ count: Int) -> [Part] {
        (0..<count).map { Part(number: $0, count: count) }
    }

    @Test(arguments: [(66, 4), (1, 3), (0, 2), (1_000_000, 7)])
    func sharesAddUp(_ all: Int, _ count: Int) {
        let shares = parts(count).map { $0.share(of: all) }
        #expect(shares.flatMap { $0 } == Array(0..<all))
        #expect((shares.map(\.count).max() ?? 0) - (shares.map(\.count).min() ?? 0) <= 1)
    }

    /// All usable addresses of all prefixes, each in one part, in their order.
    @Test(arguments: [
        ("10.0.0.0/26", 62), ("10.0.0.0/28,10.1.0.0/28", 28), ("10.0.0.7", 1), ("10.0.0.0/31", 2),
        ("10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4", 4), ("fd00::/124,10.0.0.9", 15),
    ])
    func sourcesAreApart(_ text: String, _ usable: Int) throws {
        let list = try #require(SourceList(argument: text))
        let whole = list.addresses(connections: 256)
        #expect(whole.count == usable && Set(whole).count == usable)
        for count in [1, 2, 3, 4, 5] {
            let shares = parts(count).map { list.addresses(connections: 256, part: $0) }
            #expect(shares.flatMap { $0 } == whole)
        }
    }

    /// Large prefixes are not used up; parts of them still do not meet.
    @Test func noMoreSourcesThanAreWanted() throws {
        let list = try #require(SourceList(argument: "127.0.0.0/8,fd00::/64"))
        #expect(list.addresses(connections: 10).count == 10)
        #expect(list.addresses(connections: 1000).count == 256)
        let shares = parts(2).map { list.addresses(connections: 10, part: $0) }
        #expect(shares.map(\.count) == [10, 10])
        #expect(Set(shares.flatMap { $0 }).count == 20)
    }
}
