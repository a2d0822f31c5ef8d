// What the doctor says of hosts that are made up: each trouble is named with its cause and its
// remedy, and a good host has none.

import Confinement
import Foundation
import Testing
import URing

@testable import Doctor

struct CheckupTests {
    /// A host with nothing to mend for the purpose below.
    private var goodHost: HostReading {
        var host = HostReading()
        host.facts = [
            "kernel": "6.18.44", "net.core.somaxconn": "4096", "clock_source": "tsc",
            "net.ipv4.ip_local_port_range": "32768 60999", "net.ipv4.tcp_max_syn_backlog": "4096",
            "net.ipv4.tcp_congestion_control": "cubic", "cgroup_cpus": "unlimited",
            "hypervisor": "no", "governor": "performance",
        ]
        host.features = "defer-taskrun"
        host.registersFiles = true
        host.descriptorsMax = 1_048_576
        host.cpuCount = 4
        host.receiveQueues = ["eth0": 4]
        return host
    }

    private let purpose = Purpose(connections: 10_000, otherDescriptors: 128, workers: 4)

    private func findings(_ change: (inout HostReading) -> Void) -> [Finding] {
        var host = goodHost
        change(&host)
        return Checkup(host, for: purpose).findings
    }

    /// The one finding that is not fine.
    private func trouble(_ change: (inout HostReading) -> Void) -> Finding? {
        let troubles = findings(change).filter { $0.verdict != .fine }
        #expect(troubles.count == 1, "\(troubles)")
        return troubles.first
    }

    @Test func aGoodHostHasNothingToMend() {
        let findings = findings { _ in }
        #expect(findings.allSatisfy { $0.verdict == .fine })
        #expect(findings.count == 14)
        #expect(Prescription.verdict(findings) == .fine)
        #expect(Prescription.text(findings).hasSuffix("All is fine."))
    }

    /// What cannot be given up keeps nothing from running, and costs nothing.
    @Test func saysWhatCanBeGivenUp() {
        let found = findings {
            $0.measures = ["seccomp": .inForce, "landlock": .missing("the kernel has none")]
        }
        let finding = found.first { $0.subject == "confinement" }
        #expect(finding?.found == "seccomp, no landlock: the kernel has none")
        #expect(finding?.verdict == .fine)
    }

    @Test(arguments: [
        (Unavailable.disabledBySysctl, "kernel.io_uring_disabled", "sysctl -w"),
        (.forbidden, "seccomp", "io_uring_setup"),
        (.memoryLockLimit, "ulimit -l", "LimitMEMLOCK"),
        (.kernelTooOld(missing: "io_uring"), "no io_uring", "newer kernel"),
    ])
    func namesWhyThereIsNoRing(_ reason: Unavailable, _ cause: String, _ remedy: String) {
        let finding = trouble { $0.unavailable = reason }
        #expect(finding?.subject == "io_uring" && finding?.verdict == .costs)
        #expect(finding?.found.contains(cause) == true, "\(finding?.found ?? "")")
        #expect(finding?.remedy?.contains(remedy) == true)
    }

    @Test func whereNothingElseWillDoItIsBroken() {
        var host = goodHost
        host.unavailable = .forbidden
        let purpose = Purpose(
            connections: 1,
            otherDescriptors: 128,
            workers: 1,
            demandsUring: true
        )
        let findings = Checkup(host, for: purpose).findings
        #expect(Prescription.verdict(findings) == .broken)
    }

    @Test func tooLittleLockedMemory() {
        let finding = trouble { $0.lockedBytesMax = 64 << 10 }
        #expect(finding?.subject == "locked memory" && finding?.verdict == .costs)
        #expect(finding?.remedy?.contains("LimitMEMLOCK") == true)
    }

    @Test func tooFewDescriptors() {
        let finding = trouble { $0.descriptorsMax = 1024 }
        #expect(finding?.subject == "descriptors" && finding?.verdict == .broken)
        #expect(finding?.effect?.contains("10128") == true)
        #expect(finding?.remedy?.contains("--registered-files") == true)
    }

    /// A relay needs twice as many.
    @Test func aRelayNeedsTwoDescriptorsForEachClient() {
        var host = goodHost
        host.descriptorsMax = 15_000
        let one = Checkup(host, for: purpose).findings
        #expect(Prescription.verdict(one) == .fine)
        let relay = Purpose(
            connections: 10_000,
            slotsPerClient: 2,
            otherDescriptors: 128,
            workers: 4
        )
        let two = Checkup(host, for: relay).findings
        #expect(two.first { $0.verdict == .broken }?.subject == "descriptors")
    }

    @Test func aShortAcceptQueue() {
        let finding = trouble { $0.facts["net.core.somaxconn"] = "128" }
        #expect(finding?.subject == "somaxconn")
        #expect(finding?.remedy == "sysctl -w net.core.somaxconn=4096")
    }

    @Test(arguments: [
        ("kernel", "6.0.7", "kernel"), ("kernel", "5.10.0-28-amd64", "kernel"),
        ("cgroup_cpus", "1.50", "CPU quota"), ("governor", "powersave", "CPU frequency"),
        ("clock_source", "hpet", "clock"), ("net.ipv4.tcp_max_syn_backlog", "128", "SYN backlog"),
    ])
    func oneFactEach(_ fact: String, _ value: String, _ subject: String) {
        let finding = trouble { $0.facts[fact] = value }
        #expect(finding?.subject == subject && finding?.verdict == .costs)
    }

    @Test func moreWorkersThanProcessorsAndQueues() {
        #expect(trouble { $0.cpuCount = 2 }?.subject == "CPUs")
        #expect(trouble { $0.receiveQueues = ["eth0": 1, "eth1": 8] }?.subject == "card eth0")
    }

    @Test func fewPortsMatterToARelayAlone() {
        var host = goodHost
        host.facts["net.ipv4.ip_local_port_range"] = "50000 50999"
        #expect(Prescription.verdict(Checkup(host, for: purpose).findings) == .fine)
        let relay = Purpose(
            connections: 10_000,
            slotsPerClient: 2,
            otherDescriptors: 128,
            workers: 4
        )
        let finding = Checkup(host, for: relay).findings.first { $0.verdict != .fine }
        #expect(finding?.subject == "ports")
    }

    /// What a host does not tell is not guessed.
    @Test func whatIsNotKnownIsLeftOut() {
        let findings = findings { $0.facts = [:] }
        #expect(!findings.contains { $0.subject == "kernel" || $0.subject == "somaxconn" })
        #expect(Prescription.verdict(findings) == .fine)
    }

    @Test func versionsAreReadAsFarAsTheyAreNumbers() {
        #expect(Checkup.version("6.18.44-fc-v657")! == (6, 18))
        #expect(Checkup.version("5.10-rc1")! == (5, 10))
        #expect(Checkup.version("next") == nil)
    }

    /// This host can be looked at, and every chapter that is named is there.
    @Test func thisHostIsRead() throws {
        let host = HostReading.read()
        #expect(host.facts["kernel"] != nil && host.descriptorsMax > 0 && host.cpuCount > 0)
        let page = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Tuning.md"),
            encoding: .utf8
        )
        for chapter in [2, 3, 4, 7, 8, 10, 12, 13] {
            #expect(page.contains("\n## \(chapter). "), "\(chapter)")
        }
    }
}
