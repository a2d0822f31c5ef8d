// What a service and its manager say to each other: the environment, and datagrams.

import Glibc
import Net
import Testing

@Suite(.serialized)
struct ServiceManagerTests {
    private func manager(_ environment: [String: String]) -> ServiceManager {
        ServiceManager(environment: { environment[$0] }, process: 42)
    }

    @Test func socketsHaveNames() {
        let three = manager([
            "LISTEN_PID": "42", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "greet::web",
        ])
        #expect(three.sockets.map(\.descriptor.rawValue) == [3, 4, 5])
        #expect(three.sockets.map(\.name) == ["greet", "unknown", "web"])
    }

    /// Descriptors of those numbers are files of ours where the sockets are for somebody else.
    @Test(arguments: [
        ["LISTEN_PID": "41", "LISTEN_FDS": "1"], ["LISTEN_FDS": "1"],
        ["LISTEN_PID": "42", "LISTEN_FDS": "-1"], ["LISTEN_PID": "42", "LISTEN_FDS": "many"],
    ])
    func whatIsForOthersIsLeftAlone(_ environment: [String: String]) {
        #expect(manager(environment).sockets.isEmpty)
    }

    @Test func theWatchdogIsOurs() {
        #expect(manager(["WATCHDOG_USEC": "2000000"]).watchdogNanoseconds == 2_000_000_000)
        let others = manager(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "41"])
        #expect(others.watchdogNanoseconds == nil)
        #expect(manager(["WATCHDOG_USEC": "0"]).watchdogNanoseconds == nil)
        #expect(manager([:]).watchdogNanoseconds == nil)
    }

    @Test func saysLinesToASocket() throws {
        // An abstract name leaves nothing behind.
        let name = "@ringback-test-\(getpid())"
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(receiver) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { path in
            path.copyBytes(from: Array(name.utf8))
            path[0] = 0
        }
        let length = socklen_t(2 + name.utf8.count)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(receiver, $0, length) }
        }
        #expect(bound == 0)
        manager(["NOTIFY_SOCKET": name]).say("READY=1", "STATUS=serving")
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(receiver, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        #expect(text == "READY=1\nSTATUS=serving")
    }

    @Test func nobodyThereIsNoFault() {
        manager(["NOTIFY_SOCKET": "/nowhere/at/all"]).say("READY=1")
        manager(["NOTIFY_SOCKET": ""]).say("READY=1")
        manager([:]).say("READY=1")
    }
}
