// Bad input: one clear line on stderr, the right exit status, never a trap.

import Foundation
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(1)))
struct BadInputTests {
    @Test(arguments: [
        (["ringback", "echo", "--colour"], "Unknown option '--colour'"),
        (["ringback", "server"], "server"),
        (["ringback", "serve"], "Missing expected argument '--config"),
        (["ringback", "echo", "--listen", "systemd:web"], "no socket of that name"),
        (["ringback", "echo", "--send-buffer", "3G"], "--send-buffer must be at most 1 GiB"),
        (["ringback", "echo", "--listen", "127.0.0.1"], "has no port"),
        (["ringback", "echo", "--listen", "::1:80"], "needs brackets"),
        (["ringback", "echo", "--listen", "nowhere:80"], "has no IPv4 or IPv6 address"),
        (["ringback", "echo", "--listen", "127.0.0.1:99999"], "between 0 and 65535"),
        (["ringback", "echo", "--workers", "0"], "--workers must be from 1 to 1024"),
        (["ringback", "echo", "--workers", "many"], "many"),
        (["ringback", "echo", "--buffers", "1000"], "must be a power of two"),
        (["ringback", "echo", "--buffers", "65536"], "must be a power of two from 2 to 32768"),
        (["ringback", "echo", "--buffer-bytes", "0"], "must be from 1"),
        (["ringback", "echo", "--buffer-bytes", "1.5k"], "1.5k"),
        (["ringback", "echo", "--backend", "kqueue"], "kqueue"),
        (["ringback", "echo", "--max-connections", "0"], "must be at least 1"),
        (["ringback", "echo", "--max-connections", "90000000"], "ulimit -Hn"),
        (
            ["ringback", "relay", "--to", "127.0.0.1:1", "--max-connections", "\(Int.max)"],
            "must be at most 4294967295"
        ),
        (["ringback", "echo", "--backend", "epoll", "--registered-files"], "needs io_uring"),
        (
            ["ringback", "echo", "--registered-files", "--max-connections", "90000000"],
            "ulimit -Hn"
        ),
        (["ringload", "rr"], "Missing expected argument"),
        (["ringload", "rr", "127.0.0.1"], "has no port"),
        (["ringload", "rr", "127.0.0.1:1", "--size", "0"], "0"),
        (["ringload", "rr", "127.0.0.1:1", "--size", "9-1"], "9-1"),
        (["ringload", "rr", "127.0.0.1:1", "--depth", "0"], "--depth must be from 1"),
        (["ringload", "rr", "127.0.0.1:1", "--connections", "0"], "--connections must be from 1"),
        (["ringload", "rr", "127.0.0.1:1", "--duration", "10"], "10"),
        (["ringload", "rr", "127.0.0.1:1", "--duration", "0"], "must be above 0"),
        (["ringload", "rr", "127.0.0.1:1", "--server-pid", "2147483000"], "no such process"),
        (["ringload", "rr", "127.0.0.1:1", "--cpus", "9999"], "this process may run on"),
    ])
    func isAUsageError(_ command: [String], _ words: String) throws {
        let ended = try Program(command).wait()
        #expect(ended.status == 2)
        #expect(ended.errorLines.count == 1, "\(ended.errors)")
        #expect(ended.errors.contains(words), "\(ended.errors)")
        #expect(ended.output == "")
    }

    @Test func aPortInUseIsNamed() throws {
        let server = try Server([])
        for workers in ["1", "2"] {
            let second = try Program.run(
                "ringback",
                "echo",
                "--listen",
                server.address,
                "--workers",
                workers
            )
            #expect(second.status == 1)
            #expect(second.errorLines.count == 1)
            #expect(
                second.errors.contains("cannot listen on \(server.address): Address already in use")
            )
        }
        _ = try server.stop()
    }

    @Test(.enabled(if: getuid() == 0))
    func aPortWithoutTheRightIsNamed() throws {
        let ended = try Program.shell(
            "mkdir -p /tmp/ringback-bin && cp \(Place.binaries)/ringback /tmp/ringback-bin/ && "
                + "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "
                + "/tmp/ringback-bin/ringback echo --listen 127.0.0.1:7 --workers 1"
        )
        #expect(ended.status == 1)
        #expect(ended.errorLines.count == 1, "\(ended.errors)")
        #expect(ended.errors.contains("a port below 1024 needs root or CAP_NET_BIND_SERVICE"))
    }

    @Test func nobodyListening() throws {
        let server = try Server([])
        let address = server.address
        _ = try server.stop()
        let ended = try Program.run("ringload", "rr", address, "--duration", "100ms")
        #expect(ended.status == 1)
        #expect(ended.errors.contains("refused every connection"))
        let unresolved = try Program.run("ringload", "rr", "no-such-name.invalid:1")
        #expect(unresolved.status == 1)
        #expect(unresolved.errors.contains("does not resolve"))
    }

    @Test(arguments: [["ringback"], ["ringback", "echo"], ["ringload"], ["ringload", "rr"]])
    func helpGoesToStdout(_ command: [String]) throws {
        let ended = try Program(command + ["--help"]).wait()
        #expect(ended.status == 0)
        #expect(ended.output.contains("USAGE:"))
        if command.count == 2 { #expect(ended.output.contains("Examples:")) }
        #expect(ended.errors == "")
    }
}
