// That `ringload` can be believed, on real servers: a comparison of a server with itself finds no
// difference, one with a server that is slower by a tenth finds it, and 50,000 connections are held
// by one process. Short in CI, at full length on demand.

import Engine
import Foundation
import Net
import Support
import Testing

/// An echo that works for a while on each receive.
private struct WorkingEcho: Handler, ~Copyable {
    let workNanoseconds: UInt64

    mutating func received(
        _ bytes: RawSpan,
        on connection: ConnectionID,
        _ effects: inout Effects
    ) -> Verdict {
        let end = Clock.monotonicNanoseconds() + workNanoseconds
        while Clock.monotonicNanoseconds() < end {}
        return .echo
    }
}

@Suite(.serialized, .enabled(if: Place.hasBinaries))
struct BelievableLoadTests {
    /// What the work of a request takes, beside which all else is little.
    private static let workNanoseconds: UInt64 = 200_000

    private func server(_ workNanoseconds: UInt64) throws -> EchoServer {
        try EchoServer(.epoll, limits: Limits(connectionsMax: 64)) { _ in
            WorkingEcho(workNanoseconds: workNanoseconds)
        }
    }

    /// The words on the throughput of a comparison, and whether any metric differs.
    private func compare(_ one: EchoServer, _ other: EchoServer) throws -> [String] {
        let report = TemporaryFile()
        let ended = try Program([
            "ringload", "compare", "\(one.address)", "\(other.address)", "--connections", "4",
            "--pairs", "14", "--duration", "150ms", "--warmup", "30ms", "--json", report.path,
        ]).wait(seconds: 120)
        #expect(ended.status == 0, "\(ended.errors)")
        let json = try JSONSerialization.jsonObject(with: Data(report.text.utf8))
        let metrics = try #require((json as? [String: Any])?["metrics"] as? [[String: Any]])
        return metrics.compactMap { $0["words"] as? String }
    }

    @Test func aServerIsNotUnlikeItself() throws {
        let tries = length(2, full: 20)
        // Two servers would run on a CPU each for all of a try, and differ by what these differ.
        let server = try server(Self.workNanoseconds)
        var different: [[String]] = []
        for _ in 0..<tries {
            let words = try compare(server, server)
            if words.contains(where: { !$0.hasPrefix("no difference") }) { different.append(words) }
        }
        _ = server.stop()
        print("compare same tries=\(tries) no_difference=\(tries - different.count)")
        #expect(different.count <= max(1, tries / 20), "\(different)")
    }

    @Test func aServerThatIsSlowerByATenthIsFound() throws {
        let tries = length(2, full: 20)
        let one = try server(Self.workNanoseconds)
        let other = try server(Self.workNanoseconds * 112 / 100)
        var found = 0
        for _ in 0..<tries {
            if try compare(one, other)[0].contains("% slower") { found += 1 }
        }
        _ = (one.stop(), other.stop())
        print("compare slower_by=10% tries=\(tries) found=\(found)")
        #expect(found >= tries - max(1, tries / 20))
    }

    /// As many as one address has no ports for, and the process no descriptors.
    @Test func holdsMoreConnectionsThanDescriptors() throws {
        let count = length(24_000, full: 50_000)
        let server = try Server(
            ["--backend", "uring", "--registered-files", "--workers", "4"]
                + ["--max-connections", "80000"]
        )
        let report = TemporaryFile()
        let ended = try Program([
            "ringload", "idle", server.address, "--connections", "\(count)", "--workers", "4",
            "--source", "127.0.0.0/8", "--active", "100", "--every", "20ms", "--verify",
            "--duration", "3s", "--timeout", "60s", "--json", report.path,
        ]).wait(seconds: 300)
        #expect(ended.status == 0, "\(ended.errors)")
        let values = try Report(report.text)
        #expect(values.isExact)
        #expect(values.number("connect_latency_ns", "count") == Double(count))
        #expect(values.messages > 100)
        let stopped = try server.stop()
        #expect(stopped.errors.contains("accepted=\(count) connected=0 closed=\(count) "))
        print("ringload idle connections=\(count) workers=4 messages=\(values.messages)")
    }
}
