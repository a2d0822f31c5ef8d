// The bug bank: faults that io_uring servers have had are put back one at a time, and the
// simulation has to notice each. Runs are processes of their own, since many end in a trap.

@_spi(Simulation) import Engine
import Foundation
import Support
import Testing

@Suite(.serialized)
struct BugBankTests {
    /// Seeds within which a fault has to show.
    private static let seedsMax = 2000

    private static let executable: String = {
        let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: path ?? "").deletingLastPathComponent().path + "/simulate"
    }()

    private func simulate(_ arguments: String...) throws -> Ended {
        try Program([BugBankTests.executable, "--first"] + arguments).wait(seconds: 300)
    }

    /// Faults of what both backends share. The others are io_uring's own, or mean nothing where no
    /// call outlasts its return.
    private static let shared: [KnownFault] = [
        .starvedAskAtOnce, .sendsOverlap, .shortSendsMissed, .acceptWithoutPause,
        .acceptWithoutRoom, .brokenListenerAsked, .noLingering,
    ]

    @Test(arguments: KnownFault.allCases)
    func theSimulationCatches(_ fault: KnownFault) throws {
        try expectNoticed(fault, on: .uring)
    }

    @Test(arguments: shared) func theSimulationOfEpollCatches(_ fault: KnownFault) throws {
        try expectNoticed(fault, on: .epoll)
    }

    private func expectNoticed(_ fault: KnownFault, on backend: Backend) throws {
        let ended = try simulate(
            "--backend",
            backend.rawValue,
            "--fault",
            fault.rawValue,
            "--seeds",
            "\(BugBankTests.seedsMax)"
        )
        #expect(ended.status == 1, "\(fault.rawValue) was not noticed: \(ended.errors)")
        let found = ended.output.split(separator: "\n").first ?? ""
        print("bug bank: \(fault.rawValue) \(fault): \(found)")
    }

    /// What the bank says would mean nothing if the same seeds went wrong without a fault.
    @Test func nothingIsNoticedWithoutAFault() throws {
        let ended = try simulate("--backend", "both", "--seeds", "200")
        #expect(ended.status == 0, "\(ended.output)")
    }
}
