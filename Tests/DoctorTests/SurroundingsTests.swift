// What the doctor writes for the surroundings of the service: the seccomp profile, which is the one
// in deploy/, and the drop-in for systemd, which is right for hosts that are made up.

import Foundation
import Testing
import URing

@testable import Doctor

struct SurroundingsTests {
    private struct Profile: Decodable {
        struct Rule: Decodable {
            struct Condition: Decodable {
                let index: Int
                let value: Int
                let op: String
            }
            let names: [String]
            let action: String
            let args: [Condition]?
        }
        let defaultAction: String
        let defaultErrnoRet: Int
        let architectures: [String]
        let syscalls: [Rule]
    }

    private let profile = try! JSONDecoder().decode(
        Profile.self,
        from: Data(SeccompProfile.text.utf8)
    )

    /// `ringback doctor --write-seccomp deploy/seccomp/ringback.json --force` makes it so.
    @Test func theProfileIsTheOneInTheFolder() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "deploy/seccomp/ringback.json")
        #expect(try String(contentsOf: file, encoding: .utf8) == SeccompProfile.text)
    }

    @Test func ringsAreAllowedAndWhatReachesFurtherIsNot() {
        let allowed = profile.syscalls.filter { $0.args == nil }.flatMap(\.names)
        #expect(profile.syscalls.allSatisfy { $0.action == "SCMP_ACT_ALLOW" })
        #expect(profile.defaultAction == "SCMP_ACT_ERRNO" && profile.defaultErrnoRet == 38)
        #expect(Set(allowed).isSuperset(of: SeccompProfile.ring))
        #expect(Set(allowed).count == allowed.count)
        #expect(SeccompProfile.plain == SeccompProfile.plain.sorted())
        let dangerous = [
            "bpf", "clone", "clone3", "keyctl", "mount", "perf_event_open", "process_vm_readv",
            "ptrace", "setns", "socket", "unshare", "userfaultfd",
        ]
        #expect(Set(allowed).isDisjoint(with: dangerous))
    }

    /// 0x7E020000 is CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET together.
    @Test func threadsAreAllowedAndNamespacesAreNot() {
        let clone = profile.syscalls.first { $0.names == ["clone"] }?.args?.first
        #expect(clone?.index == 0 && clone?.value == 0x7E02_0000)
        #expect(clone?.op == "SCMP_CMP_MASKED_EQ")
        let families = profile.syscalls.filter { $0.names == ["socket"] }.compactMap {
            $0.args?.first?.value
        }
        #expect(families == [1, 2, 10, 16])
    }

    private func dropIn(connections: Int = 10_000, _ change: (inout HostReading) -> Void = { _ in })
        -> [String]
    {
        var host = HostReading()
        host.facts = ["kernel": "6.18.44"]
        change(&host)
        let purpose = Purpose(connections: connections, otherDescriptors: 160, workers: 4)
        return Checkup(host, for: purpose).dropIn.split(separator: "\n").map(String.init)
    }

    private let calls = "io_uring_enter io_uring_register io_uring_setup"

    @Test func theDropInHasWhatThePurposeNeeds() {
        let lines = dropIn()
        #expect(lines[0].contains("10000 clients and 4 workers on Linux 6.18.44"))
        #expect(lines.contains("[Service]"))
        #expect(lines.contains("LimitNOFILE=10160"))
        #expect(lines.contains("SystemCallFilter=\(calls)"))
    }

    /// As much as the finding asks for, twice.
    @Test func theDropInMendsTheFindings() throws {
        var host = HostReading()
        host.lockedBytesMax = 0
        host.descriptorsMax = 0
        let checkup = Checkup(
            host,
            for: Purpose(connections: 10_000, otherDescriptors: 160, workers: 4)
        )
        let remedies = checkup.findings.compactMap(\.remedy)
        let asked = remedies.compactMap { $0.firstMatch(of: /LimitMEMLOCK=(\d+)K/)?.output.1 }
        let kibibytes = try #require(asked.first.flatMap { Int($0) })
        #expect(checkup.dropIn.contains("LimitMEMLOCK=\(2 * kibibytes)K\n"))
        #expect(remedies.contains { $0.contains("LimitNOFILE=10160,") || $0.hasSuffix("=10160") })
    }

    /// A filter that forbids rings today is what the drop-in is there to replace.
    @Test(arguments: [Unavailable.forbidden, .memoryLockLimit])
    func whatTheUnitForbidsIsAllowed(_ reason: Unavailable) {
        #expect(dropIn { $0.unavailable = reason }.contains("SystemCallFilter=\(calls)"))
    }

    @Test(arguments: [Unavailable.disabledBySysctl, .kernelTooOld(missing: "io_uring")])
    func ringsThatCannotBeHadAreForbidden(_ reason: Unavailable) {
        #expect(dropIn { $0.unavailable = reason }.contains("SystemCallFilter=~\(calls)"))
    }
}
