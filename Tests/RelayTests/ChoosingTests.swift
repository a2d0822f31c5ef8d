// How an upstream is chosen: by weight, by load, by the client's address; and who is passed over.

import Engine
import Net
import Testing

@testable import Relay

struct ChoosingTests {
    private let source = SocketAddress(host: "10.0.0.1", port: 1)!

    private func makeSet(
        _ options: [String],
        _ balance: Balance,
        _ ejection: EjectionPolicy = EjectionPolicy()
    ) throws -> UpstreamSet {
        UpstreamSet(
            try options.map { try UpstreamOptions(parsing: $0) },
            addresses: options.map { _ in [SocketAddress(host: "127.0.0.1", port: 1)!] },
            balance: balance,
            ejection: ejection
        )
    }

    /// How often each upstream is chosen where connections end at once.
    private func counts(_ set: UpstreamSet, tries: Int) -> [Int] {
        var chooser = Chooser(set, seed: 1)
        var counts = [Int](repeating: 0, count: set.upstreams.count)
        for _ in 0..<tries {
            guard let number = chooser.choose(source: source, now: 1, tried: 0) else { continue }
            counts[number] += 1
            set.upstreams[number].release()
        }
        return counts
    }

    @Test func roundRobinFollowsTheWeights() throws {
        let set = try makeSet(["a:1,weight=5", "b:1", "c:1,weight=2", "d:1,backup"], .roundRobin)
        #expect(counts(set, tries: 800) == [500, 100, 200, 0])
    }

    @Test func randomTwoFollowsTheWeightsRoughly() throws {
        let set = try makeSet(["a:1,weight=3", "b:1"], .randomTwo)
        let found = counts(set, tries: 4000)
        #expect(found[0] > found[1])
        #expect(found[1] > 0)
    }

    @Test(arguments: [Balance.leastConnections, .randomTwo])
    func theLoadIsEvenedOut(_ balance: Balance) throws {
        let set = try makeSet(["a:1,weight=2", "b:1", "c:1"], balance)
        var chooser = Chooser(set, seed: 2)
        for _ in 0..<400 { _ = chooser.choose(source: source, now: 1, tried: 0) }
        let loads = set.upstreams.map(\.connectionCount)
        #expect(loads.reduce(0, +) == 400)
        #expect((190...210).contains(loads[0]), "\(loads)")
        #expect((90...110).contains(loads[1]) && (90...110).contains(loads[2]), "\(loads)")
    }

    /// Connections that stay weigh, and new ones go elsewhere.
    @Test func leastConnectionsSeesUnequalLoad() throws {
        let set = try makeSet(["a:1", "b:1"], .leastConnections)
        for _ in 0..<50 { #expect(set.upstreams[0].reserve()) }
        var chooser = Chooser(set, seed: 3)
        for _ in 0..<50 { #expect(chooser.choose(source: source, now: 1, tried: 0) == 1) }
    }

    private func owners(_ options: [String], without left: Int? = nil) throws -> [Int] {
        let set = try makeSet(options, .sourceHash)
        var chooser = Chooser(set, seed: 4)
        return (0..<5000).map { index in
            let host = "10.\(index / 65536).\(index / 256 % 256).\(index % 256)"
            let client = SocketAddress(host: host, port: UInt16(index))!
            let tried = left.map { UInt64(1) << UInt64($0) } ?? 0
            let number = chooser.choose(source: client, now: 1, tried: tried)!
            set.upstreams[number].release()
            return number
        }
    }

    /// Of ten upstreams one leaves: at most 15 % of the sources move.
    @Test func theHashIsStableWhenAnUpstreamLeaves() throws {
        let all = (0..<10).map { "host\($0):80" }
        let before = try owners(all)
        let downed = try owners(all, without: 3)
        let moved = zip(before, downed).filter { $0 != $1 && $0 != 3 }
        #expect(moved.isEmpty, "only those of the upstream that is passed over move")
        var fewer = all
        fewer.remove(at: 3)
        let after = try owners(fewer).map { fewer[$0] }
        let changed = zip(before.map { all[$0] }, after).filter { $0 != $1 }.count
        #expect(changed <= 750, "\(changed) of 5000")
        for number in 0..<10 {
            let share = before.count { $0 == number }
            #expect((350...650).contains(share), "upstream \(number) has \(share) of 5000")
        }
    }

    @Test func theOrderOnTheCommandLineDoesNotMatterToTheHash() throws {
        let all = (0..<5).map { "host\($0):80" }
        let before = try owners(all).map { all[$0] }
        let reversed = Array(all.reversed())
        #expect(try owners(reversed).map { reversed[$0] } == before)
    }

    @Test func aFullUpstreamIsPassedOver() throws {
        let set = try makeSet(["a:1,max-connections=2", "b:1,backup"], .roundRobin)
        var chooser = Chooser(set, seed: 5)
        let found = (0..<4).map { _ in chooser.choose(source: source, now: 1, tried: 0) }
        #expect(found == [0, 0, 1, 1])
        set.upstreams[0].release()
        #expect(chooser.choose(source: source, now: 1, tried: 0) == 0)
    }

    @Test func whatWasTriedIsNotChosenAgain() throws {
        for balance in Balance.allCases {
            let set = try makeSet(["a:1", "b:1"], balance)
            var chooser = Chooser(set, seed: 6)
            #expect(chooser.choose(source: source, now: 1, tried: 1) == 1)
            #expect(chooser.choose(source: source, now: 1, tried: 3) == nil)
        }
    }

    /// Left out after failures in a row, tried by one when its time is over, and for twice as long
    /// where that fails.
    @Test func failuresInARowHaveAnUpstreamLeftOut() throws {
        var policy = EjectionPolicy()
        policy.failuresMax = 2
        policy.firstNanoseconds = 100
        let set = try makeSet(["a:1", "b:1"], .roundRobin, policy)
        let failing = set.upstreams[0]
        var chooser = Chooser(set, seed: 7)
        func chosen(_ now: UInt64, _ count: Int) -> [Int?] {
            (0..<count).map { _ in chooser.choose(source: source, now: now, tried: 0) }
        }
        failing.connectFailed(now: 1000)
        #expect(chosen(1000, 2).contains(0))
        failing.connectFailed(now: 1000)
        #expect(failing.statistics.ejections == 1)
        #expect(chosen(1001, 6).allSatisfy { $0 == 1 })
        // One tries it.
        #expect(chosen(1100, 6).filter { $0 == 0 }.count == 1)
        failing.connectFailed(now: 1200)
        #expect(chosen(1399, 6).allSatisfy { $0 == 1 }, "twice as long")
        #expect(chosen(1400, 6).filter { $0 == 0 }.count == 1)
        failing.connected(now: 1401)
        #expect(chosen(1402, 6).filter { $0 == 0 }.count == 3)
    }

    /// Better one that has failed than none.
    @Test func whereAllAreLeftOutTheyAreTried() throws {
        var policy = EjectionPolicy()
        policy.failuresMax = 1
        let set = try makeSet(["a:1"], .roundRobin, policy)
        set.upstreams[0].connectFailed(now: 1)
        var chooser = Chooser(set, seed: 8)
        #expect(chooser.choose(source: source, now: 2, tried: 0) == 0)
    }

    // ---- what is written ----

    @Test func upstreamsAreReadAsTheyAreWritten() throws {
        let upstream = try UpstreamOptions(parsing: "[::1]:80,weight=3,backup,max-connections=9")
        #expect(upstream.target == "[::1]:80" && upstream.host == "::1" && upstream.port == 80)
        #expect(upstream.weight == 3 && upstream.isBackup && upstream.connectionsMax == 9)
    }

    @Test(arguments: [
        "", "host", "host:0", "host:99999", "host:1,", "host:1,weight=0", "host:1,weight=257",
        "host:1,weight", "host:1,backup=1", "host:1,max-connections=0", "host:1,colour=red",
        "host:1,weight=+3",
    ])
    func whatIsNoUpstreamIsRefused(_ text: String) {
        #expect(throws: UpstreamOptionsError.self) { try UpstreamOptions(parsing: text) }
    }

    // ---- who may connect ----

    private func permits(_ host: String, allow: [String] = [], deny: [String] = []) -> Bool {
        AccessList(
            allow: allow.map { AddressPrefix(parsing: $0)! },
            deny: deny.map { AddressPrefix(parsing: $0)! }
        ).permits(SocketAddress(host: host, port: 5)!)
    }

    @Test func theSmallestNetworkDecides() {
        #expect(permits("10.0.0.1"))
        #expect(!permits("10.0.0.1", deny: ["10.0.0.0/8"]))
        #expect(permits("11.0.0.1", deny: ["10.0.0.0/8"]))
        #expect(!permits("11.0.0.1", allow: ["10.0.0.0/8"]))
        #expect(permits("10.1.2.3", allow: ["10.1.0.0/16"], deny: ["10.0.0.0/8"]))
        #expect(!permits("10.1.2.3", allow: ["10.0.0.0/8"], deny: ["10.1.0.0/16"]))
        #expect(!permits("10.1.2.3", allow: ["10.0.0.0/8"], deny: ["10.0.0.0/8"]))
        #expect(!permits("::ffff:10.1.2.3", deny: ["10.0.0.0/8"]), "mapped into IPv6")
        #expect(permits("fd00::1", deny: ["0.0.0.0/0"]))
        #expect(!permits("fd00::1", deny: ["::/0"]))
    }

    /// A name must not lead to where only this host can go; who writes the address means it.
    @Test(arguments: [
        ("169.254.169.254", true), ("169.254.1.1", true), ("100.100.100.200", true),
        ("fe80::1", true), ("fd00:ec2::254", true), ("::ffff:169.254.169.254", true),
        ("169.253.0.1", false), ("fd00:ec2::253", false), ("127.0.0.1", false),
    ])
    func aNameMayNotStandForEveryAddress(_ host: String, _ isForbidden: Bool) {
        let address = SocketAddress(host: host, port: 80)!
        let reason = ForbiddenUpstream.reason(against: address, host: "name.example")
        #expect((reason != nil) == isForbidden, "\(reason ?? "nothing against \(host)")")
        #expect(ForbiddenUpstream.reason(against: address, host: host) == nil)
    }

    /// A relay that connects to itself does so until it has no descriptor left.
    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1:80", true), ("127.0.0.1:80", "127.0.0.1:81", false),
        ("127.0.0.1:80", "127.0.0.2:80", false), ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", true),
        ("127.0.0.1:80", "0.0.0.0:80", true), ("[::1]:80", "[::]:80", true),
        ("0.0.0.0:80", "127.0.0.9:80", true), ("0.0.0.0:80", "127.0.0.9:81", false),
        ("0.0.0.0:80", "240.0.0.1:80", false), ("0.0.0.0:80", "[::1]:80", false),
        ("[::]:80", "[::1]:80", true), ("[::]:80", "127.0.0.1:80", true),
        ("[::]:80", "[100::1]:80", false), ("240.0.0.1:80", "127.0.0.1:80", false),
    ])
    func ownListenersAreNoUpstreams(_ listener: String, _ target: String, _ isOwn: Bool) throws {
        let listeners = [try SocketAddress(parsing: listener)]
        let address = try SocketAddress(parsing: target)
        #expect(ForbiddenUpstream.isListener(address, of: listeners) == isOwn)
        #expect(!ForbiddenUpstream.isListener(address, of: []))
    }

    @Test func aRemarkIsUnpackedAsItWasPacked() {
        let remark = RelayRemark(
            upstream: 63,
            retries: 7,
            connectMicroseconds: 5_000_000_000,
            endedBy: .upstream,
            termination: .peerReset
        )
        #expect(RelayRemark(packed: remark.packed) == remark)
        var none = remark
        none.upstream = nil
        #expect(RelayRemark(packed: none.packed) == none)
    }
}
