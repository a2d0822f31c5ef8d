// The units: that systemd understands them, and how much it finds them exposed.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Tools.areThere, "scripts/deploy-tools.sh has not run"))
struct SystemdTests {
    /// At most 2.0, where Debian's units of HAProxy and nginx have 9.6 each.
    @Test func theServiceIsHardlyExposed() throws {
        let ended = try Program.shell(
            "systemd-analyze security --offline=true --threshold=20 "
                + "\(Tools.deploy)/systemd/ringback.service"
        )
        #expect(ended.status == 0, "\(ended.output)")
        let level = ended.output.firstMatch(of: /exposure level for ringback.service: ([0-9.]+)/)
        #expect((level.flatMap { Double($0.output.1) } ?? 10) <= 2.0)
        print("exposure of ringback.service: \(level?.output.1 ?? "unknown")")
    }

    /// What systemd has to say of the units, with a program in place of ours, which is not
    /// installed here, and with changes.
    private func complaints(
        _ change: (String) -> String = { $0 },
        dropIn: String? = nil
    ) throws -> String {
        let folder = try TemporaryFolder()
        let service = try Tools.text("systemd/ringback.service")
            .replacing("/usr/bin/ringback", with: "/bin/true")
        try folder.write(change(service), to: "ringback.service")
        try folder.write(try Tools.text("systemd/ringback.socket"), to: "ringback.socket")
        if let dropIn { try folder.write(dropIn, to: "ringback.service.d/host.conf") }
        let ended = try Program.shell(
            "cd \(folder.path) && SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "
                + "./ringback.service ./ringback.socket"
        )
        return (ended.status == 0 ? "" : "status \(ended.status)\n") + ended.errors
    }

    @Test func theUnitsAreUnderstood() throws {
        #expect(try complaints() == "")
        let misspelt = try complaints { $0.replacing("LimitNOFILE=", with: "LimitNOFILES=") }
        #expect(misspelt.contains("LimitNOFILES"))
    }

    @Test func theDoctorsDropInIsUnderstood() throws {
        let dropIn = try Program.run("ringback", "doctor", "--write-systemd", "-").output
        #expect(try complaints(dropIn: dropIn) == "")
        let misspelt = dropIn.replacing("io_uring_setup", with: "io_uring_sets")
        #expect(try complaints(dropIn: misspelt).contains("io_uring_sets"))
    }

    /// A stop that drains as long as it may is not cut short.
    @Test func aStopMayTakeAsLongAsADrain() throws {
        let service = try Tools.text("systemd/ringback.service")
        let limit = service.firstMatch(of: /TimeoutStopSec=(\d+)s/).flatMap { Int($0.output.1) }
        #expect((limit ?? 0) > Tools.drainSeconds)
    }

    /// Every way in is a service of the configuration that comes with the units.
    @Test func theSocketIsThatOfTheConfiguration() throws {
        let socket = try Tools.text("systemd/ringback.socket")
        let configuration = try Tools.text("debian/ringback.yaml")
        let name = try #require(socket.firstMatch(of: /FileDescriptorName=(.+)/)?.output.1)
        let address = try #require(socket.firstMatch(of: /ListenStream=(.+)/)?.output.1)
        #expect(configuration.contains("  \(name):\n"))
        #expect(configuration.contains("    listen: \(address)\n"))
    }
}
