// Every case of the conformance suite against a server that it must find fault with. A case that no
// server can fail would be no case.

import Conform
import Engine
import Net
import Support
import Testing

/// A case, the fault that it must find, and what it must call it.
struct Failure: Sendable, CustomTestStringConvertible {
    let name: String
    let fault: EchoFault
    let verdict: Fault
    /// The case that runs before it, where it is about what others leave behind.
    let before: String?

    init(_ name: String, _ fault: EchoFault, _ verdict: Fault, after before: String? = nil) {
        self.name = name
        self.fault = fault
        self.verdict = verdict
        self.before = before
    }

    var testDescription: String { "\(name), \(fault)" }

    static let table: [Failure] = [
        Failure("echo-1", .holdsSmall, .silent),
        Failure("echo-100", .stripsHighBit, .altered),
        Failure("echo-4k", .dropsEarly, .silent),
        Failure("echo-64k", .losesByte, .lost),
        Failure("echo-1m", .losesByte, .lost),
        Failure("echo-1m", .swapsBlocks, .reordered),
        Failure("echo-8m", .drips, .slow),
        Failure("turns", .repeats, .repeated),
        Failure("turns", .holdsSmall, .silent),
        Failure("single-bytes", .stripsHighBit, .altered),
        Failure("odd-sends", .cutsAtBlocks, .lost),
        Failure("slow-reader", .dropsOverflow, .lost),
        Failure("late-reader", .endsIdle, .reset),
        Failure("fast-open", .dropsEarly, .silent),
        Failure("half-close-0", .neverFinishes, .silent),
        Failure("half-close-0", .resets, .reset),
        Failure("half-close-0", .greets, .surplus),
        Failure("half-close-late-0", .resets, .reset),
        Failure("half-close-1", .dropsTail, .tailLost),
        Failure("half-close-late-1", .dropsTail, .tailLost),
        Failure("half-close-100k", .dropsTail, .tailLost),
        Failure("half-close-late-100k", .dropsTail, .tailLost),
        Failure("half-close-4m", .dropsTail, .tailLost),
        Failure("half-close-late-4m", .dropsTail, .tailLost),
        Failure("fin-with-data", .dropsTail, .tailLost),
        Failure("fin-not-reset", .resets, .reset),
        Failure("finish-under-way", .dropsTail, .tailLost),
        Failure("close-after-echo", .leaksEnded, .silent),
        Failure("idle-then-echo", .endsIdle, .closedFirst),
        Failure("idle-from-start", .endsIdle, .closedFirst),
        Failure("idle-from-start", .greets, .surplus),
        Failure("many-at-once", .mixes, .mixed),
        Failure("unread-is-bounded", .neverStopsReading, .unlimited),
        Failure("unread-stops-nobody", .stallsOthers, .silent),
        Failure("reset-mid-echo", .leaksReset, .silent),
        Failure("close-unread", .leaksReset, .silent),
        Failure("churn", .leaksEnded, .silent),
        Failure("serves-on", .leaksReset, .silent, after: "reset-mid-echo"),
    ]
}

@Suite(.serialized, .timeLimit(.minutes(3)))
struct ConformFaultsTests {
    private func run(
        _ names: [String],
        at address: SocketAddress,
        _ seconds: UInt64
    ) -> [CaseResult] {
        var suite = Suite(
            target: address,
            timeoutNanoseconds: seconds * .nanosecondsPerSecond,
            key: 42
        )
        return Suite.cases.filter { names.contains($0.name) }.map { suite.run($0) }
    }

    @Test(arguments: Failure.table)
    func aFaultIsNamed(_ failure: Failure) throws {
        let server = try EchoServer.faulty(failure.fault, .epoll)
        defer { _ = server.stop() }
        // Silence and slowness are known when the time is over, everything else at once.
        let seconds: UInt64 = [.silent, .slow].contains(failure.verdict) ? 1 : 10
        let names = [failure.before, failure.name].compactMap { $0 }
        let result = try #require(run(names, at: server.address, seconds).last)
        #expect(result.finding?.fault == failure.verdict, "\(TAP.lines(result, number: 1))")
    }

    /// Neighbours of an urgent byte that never come, and a server that ends the connection for it.
    @Test func theUrgentByteCanDoHarm() throws {
        let silent = try EchoServer.faulty(.holdsSmall, .epoll)
        defer { _ = silent.stop() }
        #expect(run(["urgent-byte"], at: silent.address, 1)[0].finding?.fault == .silent)

        let ending = try UrgentlyEndingEcho()
        defer { ending.stop() }
        let results = run(["echo-100", "urgent-byte"], at: ending.address, 10)
        #expect(results[0].finding == nil)
        // It closes with bytes unread, and its kernel may say so with RST.
        let fault = try #require(results[1].finding?.fault)
        #expect([.closedFirst, .reset].contains(fault))
    }

    @Test func aServerThatIsGoneIsUnreachable() throws {
        let server = try EchoServer(.epoll)
        _ = server.stop()
        #expect(run(["echo-1"], at: server.address, 1)[0].finding?.fault == .unreachable)
    }

    /// The case about the urgent byte and the verdict `unreachable` have tests of their own above.
    @Test func nothingIsMissingFromTheTable() {
        let table = Failure.table
        #expect(Set(table.map(\.name)).union(["urgent-byte"]) == Set(Suite.cases.map(\.name)))
        #expect(Set(table.map(\.verdict)).union([.unreachable]) == Set(Fault.allCases))
        #expect(Set(table.map(\.fault)).union([.none]) == Set(EchoFault.allCases))
    }

    /// Every connection of many has a fault: the time for looking into it is for all together.
    @Test func manyFaultsTakeNoLongerThanOne() throws {
        let server = try EchoServer.faulty(.cutsAtBlocks, .epoll)
        defer { _ = server.stop() }
        let result = run(["many-at-once"], at: server.address, 10)[0]
        #expect(result.nanoseconds < 5 * .nanosecondsPerSecond)
    }

    /// What a case waits for on purpose is no part of the server's time.
    @Test func aShortTimeIsForTheServerAlone() throws {
        let server = try EchoServer(.epoll)
        defer { _ = server.stop() }
        for result in run(["idle-then-echo", "idle-from-start"], at: server.address, 1) {
            #expect(result.finding == nil, "\(TAP.lines(result, number: 1))")
        }
    }
}
