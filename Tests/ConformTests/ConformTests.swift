// The conformance suite against servers that are right, or wrong in something that a case is not
// about; and what it reports. ConformFaultsTests has the servers that a case must find wrong.

import Conform
import Engine
import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct ConformTests {
    private func run(
        _ names: [String]? = nil,
        on server: EchoServer,
        timeoutSeconds: UInt64 = 10
    ) -> [CaseResult] {
        var suite = Suite(
            target: server.address,
            timeoutNanoseconds: timeoutSeconds * .nanosecondsPerSecond,
            key: 42
        )
        var results: [CaseResult] = []
        for test in Suite.cases where names?.contains(test.name) ?? true {
            results.append(suite.run(test))
        }
        return results
    }

    private func failures(_ results: [CaseResult]) -> [String] {
        results.filter { $0.finding != nil }.map { TAP.lines($0, number: 1) }
    }

    @Test(arguments: Backend.allCases)
    func ourEchoPasses(_ backend: Backend) throws {
        let server = try EchoServer(backend)
        defer { _ = server.stop() }
        let results = run(on: server)
        #expect(results.count == Suite.cases.count)
        #expect(failures(results) == [])
    }

    /// Names are what people type; numbers of streams would run out at 2^24.
    @Test func namesAreUnique() {
        #expect(Set(Suite.cases.map(\.name)).count == Suite.cases.count)
        #expect(Suite.cases.count > 30)
    }

    @Test func theReadmeListsTheCases() throws {
        let text = try String(contentsOfFile: Place.root + "/docs/conform.md", encoding: .utf8)
        let rows = Suite.cases.map { "| `\($0.name)` | \($0.item) | \($0.summary) |" }
        let missing = rows.filter { !text.contains($0 + "\n") }
        #expect(missing == [])
    }

    /// The server that the faults are built into is right without one.
    @Test func theFaultyEchoIsRightWithoutAFault() throws {
        let server = try EchoServer.faulty(.none, .epoll)
        defer { _ = server.stop() }
        #expect(failures(run(on: server)) == [])
    }

    /// What a fault does not touch passes: the cases are about one thing each.
    @Test(arguments: [
        (EchoFault.dropsTail, "echo-1m"), (.resets, "echo-1m"), (.losesByte, "half-close-1"),
        (.endsIdle, "half-close-4m"), (.stallsOthers, "many-at-once"),
    ])
    func othersPass(_ fault: EchoFault, _ name: String) throws {
        let server = try EchoServer.faulty(fault, .epoll)
        defer { _ = server.stop() }
        #expect(failures(run([name], on: server)) == [])
    }

    @Test func nobodyListeningIsNoFinding() throws {
        let server = try EchoServer(.epoll)
        _ = server.stop()
        let suite = Suite(target: server.address, timeoutNanoseconds: 1_000_000_000, key: 1)
        #expect(throws: Trouble.refused) { try suite.reach() }
    }

    @Test func reportsAreWellFormed() throws {
        let server = try EchoServer.faulty(.losesByte, .epoll)
        defer { _ = server.stop() }
        let results = run(["echo-1", "echo-1m"], on: server)
        try #require(results.count == 2)
        #expect(TAP.header(2) == "TAP version 14\n1..2")
        #expect(TAP.lines(results[0], number: 1) == "ok 1 - echo-1")
        let lines = TAP.lines(results[1], number: 2).split(separator: "\n")
        #expect(lines.first == "not ok 2 - echo-1m")
        #expect(lines[1] == "  ---" && lines.last == "  ...")
        #expect(lines.contains("  fault: lost"))
        let offset = try #require(results[1].finding?.offset)
        #expect(lines.contains("  offset: \(offset)"))
        #expect(lines.contains { $0.contains("1 bytes are missing") })
        let document = JUnit.document(results, target: "a<b")
        #expect(document.contains("tests=\"2\" failures=\"1\""))
        #expect(document.contains("conform a&lt;b") && !document.contains("a<b"))
        #expect(document.contains("<failure type=\"lost\""))
    }
}
