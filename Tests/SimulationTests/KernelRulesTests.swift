// The rules of the kernel on the kernel and on its model. What the simulation says of the engine is
// worth as much as its model is true, so the two are held against each other here.
//
// The model is never kinder than the kernel. What that means: without any mischief the model is at
// its kindest, and mischief only adds to that. Even then each program shows on it what it shows on
// the kernel, whatever the seed. It is not crueller either in what a server may rely on: the
// program shows nothing else.

import Net
import Testing
import URing

@testable import Simulation

@Suite(.serialized)
struct KernelRulesTests {
    /// Runs a program.
    private func sightings<R: Ring & ~Copyable, H: RuleHost>(
        _ rule: KernelRule,
        on host: H,
        _ ring: consuming R
    ) throws -> Set<Sighting> {
        let setting = rule.setting
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: RuleProgram<R, H>.byteCount(setting),
            alignment: 4096
        )
        defer { memory.deallocate() }
        var program = try RuleProgram(ring: ring, host: host, setting: setting, memory: memory)
        return try program.run(rule)
    }

    private func sightings(_ rule: KernelRule, seed: UInt64) throws -> Set<Sighting> {
        let host = try ModelRuleHost(rule.setting, seed: seed)
        return try sightings(rule, on: host, SimulatedRing(host.host))
    }

    private func words(_ sightings: Set<Sighting>) -> [String] {
        sightings.map(\.rawValue).sorted()
    }

    @Test(.enabled(if: KernelHost.isAvailable), arguments: KernelRule.allCases)
    func theKernelShows(_ rule: KernelRule) throws {
        for _ in 0..<3 {
            let host = try KernelHost()
            let seen = try sightings(rule, on: host, host.makeRing(rule.setting))
            #expect(words(seen) == words(rule.sightings))
        }
    }

    @Test(arguments: KernelRule.allCases)
    func theModelIsNeverKinder(_ rule: KernelRule) throws {
        for seed: UInt64 in 0..<20 {
            let seen = try sightings(rule, seed: seed)
            #expect(words(seen) == words(rule.sightings), "seed \(seed)")
        }
    }
}
