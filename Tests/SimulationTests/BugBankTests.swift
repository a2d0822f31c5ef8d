// The bug bank: faults that io_uring servers have had are put back one at a time, and the tests
// have to notice each. Most must be noticed by the simulation alone; what lies below the ring is
// none of its business, and a real server shows it. Runs are processes of their own, since many end
// in a trap.

@_spi(Simulation) import Engine
import Foundation
import Support
import Testing

@Suite(.serialized)
struct BugBankTests {
    /// Seeds within which a fault has to show.
    private static let seedsMax = 2000

    private func simulate(_ arguments: String...) throws -> Ended {
        try Program([Built.path("simulate"), "--first"] + arguments).wait(seconds: 300)
    }

    /// What the simulation says of a fault, or nil where it does not notice it.
    private func simulation(of fault: KnownFault, on backend: Backend = .uring) throws -> String? {
        // The simulated ring has no opcodes, so more seeds would find no more.
        let seeds = fault == .sendsAreWrites ? 100 : BugBankTests.seedsMax
        let ended = try simulate(
            "--backend",
            backend.rawValue,
            "--fault",
            fault.rawValue,
            "--seeds",
            "\(seeds)"
        )
        guard ended.status != 0, let line = ended.output.split(separator: "\n").first,
            let match = line.firstMatch(of: /FAILED make simulate .*SEED=(\d+) *# (.*)/)
        else { return nil }
        return "the simulation, seed \(match.1): \(match.2.prefix(80))"
    }

    /// The same of the tests on a real server.
    private func server(with fault: KnownFault) throws -> String? {
        guard fault == .sendsAreWrites, KernelHost.isAvailable else { return nil }
        let ended = try ResettingClients.end(ofServerWith: fault.rawValue)
        return ended.status == 0 ? nil : "SignalTests: the server ended with status \(ended.status)"
    }

    @Test func everyFaultIsCaught() throws {
        var missed: [KnownFault] = []
        var simulated = 0
        for fault in KnownFault.allCases {
            let found = try simulation(of: fault)
            if found != nil { simulated += 1 }
            let catcher = try found ?? server(with: fault)
            if catcher == nil { missed.append(fault) }
            print("bug bank: \(fault.rawValue) \(fault): \(catcher ?? "NOT CAUGHT")")
        }
        let all = KnownFault.allCases.count
        let caught = all - missed.count
        print("bug bank: \(caught) of \(all) caught, \(simulated) by the simulation alone")
        #expect(missed == (KernelHost.isAvailable ? [] : [.sendsAreWrites]))
        #expect(simulated * 5 >= all * 4)
    }

    /// Faults of what both backends share. The others are io_uring's own, or mean nothing where no
    /// call outlasts its return.
    private static let shared: [KnownFault] = [
        .starvedAskAtOnce, .sendsOverlap, .shortSendsMissed, .acceptWithoutPause,
        .acceptWithoutRoom, .brokenListenerAsked, .noLingering,
    ]

    @Test(arguments: shared) func theSimulationOfEpollCatches(_ fault: KnownFault) throws {
        let found = try simulation(of: fault, on: .epoll)
        print("bug bank: \(fault.rawValue) \(fault) on epoll: \(found ?? "NOT CAUGHT")")
        #expect(found != nil)
    }

    /// What the bank says would mean nothing if the same seeds went wrong without a fault.
    @Test func nothingIsNoticedWithoutAFault() throws {
        let ended = try simulate("--backend", "both", "--seeds", "60")
        #expect(ended.status == 0, "\(ended.output)")
    }
}
