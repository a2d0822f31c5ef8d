// What ringback's own commands refuse of a file before anything is opened.

import Testing

@testable import Configuration
@testable import ringback

struct ObstacleTests {
    private func lines(_ text: String) -> [String] {
        refusal(text, schema: ServiceConfiguration.schema)
    }

    private func lines(_ type: String, _ options: String) -> [String] {
        lines("services:\n  one:\n    type: \(type)\n    \(options)")
    }

    @Test(arguments: [
        ("echo", "listen: '127.0.0.1'", "--listen: the address '127.0.0.1' has no port"),
        ("echo", "workers: 0", "--workers must be from 1 to 1024"),
        ("echo", "max-connections: 0", "--max-connections must be at least 1"),
        ("echo", "max-connections: \(Int.max)", "--max-connections must be at most 4294967295"),
        ("relay", "{to: a:1, max-connections: \(Int.max)}", "--max-connections must be at most"),
        ("echo", "accept-rate: -1", "--accept-rate must not be negative"),
        ("echo", "drain-rate: -1", "--drain-rate must not be negative"),
        ("echo", "backlog: 0", "--backlog must be from 1 to 65535"),
        ("echo", "send-buffer: 1G", "--send-buffer must be at most 1 GiB"),
        ("echo", "{backend: epoll, registered-files: true}", "--registered-files needs io_uring"),
        ("relay", "to: a", "--to 'a': "),
        ("relay", "to: [127.0.0.1:8888]", "--to '127.0.0.1:8888': the relay listens there itself"),
        ("relay", "{to: a:1, retries: 64}", "--retries must be from 0 to 63"),
        ("relay", "{to: a:1, allow: x}", "--allow 'x' is no network"),
        ("relay", "{to: a:1, proxy-from: x}", "--proxy-from 'x' is no network"),
        ("relay", "{to: a:1, check-send: x}", "--check-send and --check-expect need"),
    ])
    func whatACommandRefusesIsToldAtItsLine(_ type: String, _ options: String, _ words: String) {
        let inner = options.hasPrefix("{") ? String(options.dropFirst().dropLast()) : options
        let all = lines(type, inner.replacing(", ", with: "\n    "))
        #expect(all.count == 1, "\(all)")
        let parts = all.first?.split(separator: ": ", maxSplits: 2).map(String.init) ?? []
        #expect(parts.last?.hasPrefix(words) == true, "\(all)")
        let line = parts.first?.split(separator: ":")[1] ?? ""
        #expect(Int(line).map { $0 >= 4 } == true, "the line is the option's: \(all)")
    }

    /// Each of these is another one's refusal, so one must not hide the next.
    @Test func everythingIsTold() {
        let all = lines(
            "relay",
            "to: a\n    allow: x\n    check-send: y\n    max-connections: 0\n    listen: z"
        )
        #expect(all.map { $0.split(separator: ":")[1] } == ["4", "5", "6", "7", "8"])
    }

    /// A name may be known only where the file is served, and asking takes a socket.
    @Test func namesAreNotLookedUp() {
        #expect(lines("relay", "to: no-such-name.invalid:80") == [])
    }

    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1:80", true), ("127.0.0.1:80", "127.0.0.1:81", false),
        ("127.0.0.1:80", "127.0.0.2:80", false), ("0.0.0.0:80", "127.0.0.2:80", true),
        ("127.0.0.2:80", "0.0.0.0:80", true), ("[::]:80", "0.0.0.0:80", true),
        ("[::]:80", "127.0.0.1:80", true), ("[::1]:80", "0.0.0.0:80", false),
        ("0.0.0.0:80", "[::1]:80", false), ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
        ("127.0.0.1:0", "127.0.0.1:0", false),
    ])
    func anAddressIsOneListeners(_ one: String, _ other: String, _ isShared: Bool) {
        let services = lines(
            "services:\n  a: {type: echo, listen: '\(one)'}\n  b: {type: echo, listen: '\(other)'}"
        )
        #expect(services.isEmpty == !isShared, "\(services)")
        if isShared {
            let place = services.first?.hasPrefix("f:3:19: service 'b' cannot listen on \(other)")
            #expect(place == true, "\(services)")
        }
        let own = lines("services: {a: {type: echo, listen: ['\(one)', '\(other)']}}")
        #expect(own.isEmpty == !isShared, "\(own)")
    }

    @Test func theUsualAddressIsSharedToo() {
        #expect(
            lines("services:\n  a: {type: echo}\n  b: {type: echo}")
                == [
                    "f:3:3: service 'b' cannot listen on 127.0.0.1:8888: service 'a' listens on "
                        + "127.0.0.1:8888 (f:2)"
                ]
        )
    }

    @Test func theProcessIsJudgedToo() {
        #expect(
            lines("admin: here\nservices: {a: {type: echo}}").first?
                .hasPrefix("f:1:1: --admin: the address 'here' has no port") == true
        )
    }

    @Test func servicesComeAsCommands() throws {
        let text = """
            admin: 127.0.0.1:9090
            services:
              greet: {type: echo, listen: '127.0.0.1:7', pin: false}
              web: {type: relay, to: '10.0.0.1:80', retries: 5}
            """
        let found = ServiceConfiguration(
            try EffectiveConfiguration(.text(text, file: "f"), ServiceConfiguration.schema)
        )
        #expect(found.process.admin == "127.0.0.1:9090")
        #expect(found.services.map(\.name) == ["greet", "web"])
        #expect(found.services.map(\.command.server.pin) == [false, true])
        guard case .relay(let relay) = found.services[1].command else {
            Issue.record("a relay has become an echo")
            return
        }
        #expect(relay.upstreams.to == ["10.0.0.1:80"] && relay.upstreams.retries == 5)
    }
}
