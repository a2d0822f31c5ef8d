// What looks after upstreams: when a check means that one is down or up again, what counts as an
// answer, and where a name has come to lead.

import Engine
import Glibc
import Net
import Support
import Synchronization
import Testing

@testable import Relay

/// Lines that a keeper has reported.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }

    func wait(for part: String, withinSeconds seconds: Int = 20) -> Bool {
        for _ in 0..<seconds * 200 {
            if all.contains(where: { $0.contains(part) }) { return true }
            usleep(5000)
        }
        return false
    }
}

/// An upstream that answers each connection in one way.
private final class Answerer: Sendable {
    enum Manner: Int { case silent, answers, closes }

    private final class State: Sendable {
        let manner = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        let heard = Mutex<[UInt8]>([])
    }

    let address: SocketAddress
    private let state = State()
    private let thread: Thread

    init(_ manner: Manner, answer: String = "+PONG\r\n") throws {
        let (listener, state) = (try TestListener(), state)
        address = listener.address
        state.manner.store(manner.rawValue, ordering: .relaxed)
        thread = try Thread(name: "answerer") {
            var held: [TestClient] = []
            while !state.isOver.load(ordering: .relaxed) {
                guard listener.hasConnection(withinMilliseconds: 20),
                    let client = try? listener.accept()
                else { continue }
                switch Manner(rawValue: state.manner.load(ordering: .relaxed)) {
                case .answers:
                    let bytes = try? client.receive(exactly: 6)
                    state.heard.withLock { $0 += bytes ?? [] }
                    try? client.send(Array(answer.utf8))
                    held.append(client)
                case .closes: client.finish()
                case .silent, nil: held.append(client)
                }
            }
        }
    }

    var heard: [UInt8] { state.heard.withLock { $0 } }

    func become(_ manner: Manner) { state.manner.store(manner.rawValue, ordering: .relaxed) }

    func stop() {
        state.isOver.store(true, ordering: .relaxed)
        thread.join()
    }
}

@Suite(.serialized, .timeLimit(.minutes(3)))
struct CheckTests {
    private func set(_ addresses: [SocketAddress]) throws -> UpstreamSet {
        UpstreamSet(
            try addresses.map { try UpstreamOptions(parsing: "\($0)") },
            addresses: addresses.map { [$0] },
            balance: .roundRobin,
            ejection: EjectionPolicy()
        )
    }

    private func quick(_ adjust: (inout HealthCheck) -> Void = { _ in }) -> HealthCheck {
        var check = HealthCheck(intervalNanoseconds: 20 * .nanosecondsPerMillisecond)
        adjust(&check)
        return check
    }

    // ---- rows of answers ----

    @Test func itTakesARowToChange() {
        var check = HealthCheck(intervalNanoseconds: 1)
        (check.rise, check.fall) = (2, 3)
        var health = Health()
        let outcomes: [(succeeded: Bool, isUp: Bool)] = [
            (true, true), (false, true), (false, true), (true, true), (false, true),
            (false, true), (false, false), (true, false), (false, false), (true, false),
            (true, true), (true, true),
        ]
        for (place, outcome) in outcomes.enumerated() {
            let was = health.isUp
            let changed = health.note(succeeded: outcome.succeeded, check)
            #expect(health.isUp == outcome.isUp && changed == (was != outcome.isUp), "\(place)")
        }
    }

    // ---- HAProxy's tcp-check_min-recv, tcp-check_multiple_ports and their kin ----

    /// A plain connect: down when nobody listens, up again when somebody does, and none is chosen
    /// that is down.
    @Test func aConnectIsACheck() throws {
        let other = try TestListener()
        var gone: TestListener? = try TestListener()
        let address = gone!.address
        gone = nil
        let set = try set([address, other.address])
        let lines = Lines()
        let keeper = try UpstreamKeeper(set, quick()) { lines.add($0) }
        #expect(lines.wait(for: "upstream \(address) is down"))
        #expect(!set.upstreams[0].isUp && set.upstreams[1].isUp)
        var chooser = Chooser(set, seed: 1)
        for _ in 0..<10 {
            #expect(chooser.choose(source: address, now: 0, tried: 0) == 1)
        }
        // Where all are down nobody is chosen.
        #expect(chooser.choose(source: address, now: 0, tried: 2) == nil)
        let back = try Socket.listen(ListenOptions(address: address))
        #expect(lines.wait(for: "upstream \(address) is up again"))
        #expect(set.upstreams[0].isUp)
        keeper.stop()
        back.close()
        let statistics = set.upstreams[0].statistics
        #expect(statistics.timesDown == 1 && statistics.checksFailed >= 3)
        #expect(statistics.checks > statistics.checksFailed)
    }

    /// HAProxy's `tcp-check` with send and expect: only the right answer is one.
    @Test func anAnswerIsExpected() throws {
        let upstream = try Answerer(.answers)
        let set = try set([upstream.address])
        let lines = Lines()
        let keeper = try UpstreamKeeper(
            set,
            quick { check in
                check.send = Array("PING\r\n".utf8)
                check.expect = Array("PONG".utf8)
                check.timeoutNanoseconds = 300 * .nanosecondsPerMillisecond
                check.intervalNanoseconds = 300 * .nanosecondsPerMillisecond
                check.fall = 1
                check.rise = 1
            }
        ) { lines.add($0) }
        while set.upstreams[0].statistics.checks < 2 { usleep(1000) }
        #expect(set.upstreams[0].isUp)
        #expect(upstream.heard.starts(with: Array("PING\r\n".utf8)))
        for (manner, reason) in [
            (Answerer.Manner.silent, "no answer in time"), (.closes, "no answer"),
        ] {
            upstream.become(manner)
            #expect(lines.wait(for: "is down: \(reason)"), "\(lines.all)")
            upstream.become(.answers)
            while !set.upstreams[0].isUp { usleep(1000) }
        }
        keeper.stop()
        upstream.stop()
    }

    @Test func anotherAnswerIsNone() throws {
        let upstream = try Answerer(.answers, answer: "-LOADING\r\n")
        let set = try set([upstream.address])
        let lines = Lines()
        let keeper = try UpstreamKeeper(
            set,
            quick { check in
                check.send = Array("PING\r\n".utf8)
                check.expect = Array("PONG".utf8)
                check.timeoutNanoseconds = .nanosecondsPerSecond
                check.intervalNanoseconds = .nanosecondsPerSecond / 2
                check.fall = 1
            }
        ) { lines.add($0) }
        #expect(lines.wait(for: "is down: another answer"), "\(lines.all)")
        keeper.stop()
        upstream.stop()
    }

    // ---- names ----

    @Test(arguments: Interface.allCases)
    func aNameIsFollowed(_ interface: Interface) throws {
        let (first, second) = (try TestListener(), try TestListener())
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(
            setting,
            to: [(first.address, "")],
            named: "upstream.invalid:1"
        )
        let meaning = Mutex([first.address])
        let lines = Lines()
        let keeper = try AddressKeeper(
            relay.upstreams,
            intervalNanoseconds: 10 * .nanosecondsPerMillisecond,
            resolve: { _, _ in meaning.withLock { $0 } },
            isForbidden: { address, _ in address.port == 9 ? "of its port" : nil },
            changed: { relay.wake() },
            report: { lines.add($0) }
        )
        let one = try TestClient(relay.address)
        let atFirst = try first.accept()
        // No address at all keeps those there are.
        meaning.withLock { $0 = [] }
        usleep(50_000)
        let two = try TestClient(relay.address)
        _ = try first.accept()
        meaning.withLock { $0 = [try! SocketAddress(parsing: "192.0.2.1:9"), second.address] }
        #expect(lines.wait(for: "has other addresses: \(second.address)"))
        #expect(lines.all.filter { $0.contains("192.0.2.1:9 is not used: of its port") }.count == 1)
        usleep(50_000)
        let three = try TestClient(relay.address)
        let after = try second.accept()
        try three.send([3])
        #expect(try after.receive(exactly: 1) == [3])
        // Whoever was connected before stays where it was.
        try one.send([1])
        #expect(try atFirst.receive(exactly: 1) == [1])
        keeper.stop()
        withExtendedLifetime(two) {}
        _ = relay.stop()
    }

    @Test func familiesTakeTurns() throws {
        func list(_ texts: [String]) throws -> [SocketAddress] {
            try texts.map { try SocketAddress(parsing: $0) }
        }
        let mixed = try list(["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "[::1]:1", "1.0.0.2:1"])
        let expected = try list(["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"])
        #expect(AddressOrder.alternating(mixed) == expected)
        let other = try list(["1.0.0.1:1", "1.0.0.2:1", "[::1]:1"])
        #expect(try AddressOrder.alternating(other) == list(["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"]))
        #expect(AddressOrder.alternating([]).isEmpty)
    }

    /// The second address of a name is tried where the first cannot be reached.
    @Test(arguments: Interface.allCases)
    func theNextAddressIsTried(_ interface: Interface) throws {
        let dead = try TestListener().address
        let listener = try TestListener()
        let setting = Setting(interface: interface, pool: .normal)
        let relay = try RelayServer(
            setting,
            to: [(dead, "")],
            named: "upstream.invalid:1",
            others: [listener.address]
        )
        let client = try TestClient(relay.address)
        let upstream = try listener.accept()
        try client.send([4])
        #expect(try upstream.receive(exactly: 1) == [4])
        #expect(relay.count("connect_retries") == 0)
        _ = relay.stop()
    }

    // ---- escapes ----

    @Test(
        arguments: [
            (#"PING\r\n"#, [80, 73, 78, 71, 13, 10]), (#"\x00\xfF\\t\t"#, [0, 255, 92, 116, 9]),
            ("", []), ("é", [0xC3, 0xA9]),
        ] as [(String, [UInt8])]
    )
    func escapesAreRead(_ text: String, _ bytes: [UInt8]) throws {
        #expect(try EscapedText.bytes(of: text) == bytes)
    }

    @Test(arguments: [#"\"#, #"\q"#, #"\x"#, #"\x1"#, #"\xg0"#, #"\x+1"#])
    func otherEscapesAreRefused(_ text: String) {
        #expect(throws: EscapedText.Problem.self) { try EscapedText.bytes(of: text) }
    }
}
