// `ringback check`, `ringback config` and the environment as an operator meets them: what is said
// on which stream, with which exit status, and what the service then does.

import Foundation
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(1)))
struct ConfigurationCommandTests {
    private func file(_ text: String) throws -> TemporaryFile {
        let file = TemporaryFile()
        try text.write(toFile: file.path, atomically: false, encoding: .utf8)
        return file
    }

    @Test func theExampleIsInOrder() throws {
        let example = Place.root + "/docs/examples/ringback.yaml"
        let ended = try Program.run("ringback", "check", example)
        #expect(ended.status == 0 && ended.output == "OK: 3 services\n", "\(ended.errors)")
        #expect(ended.errors == "")
    }

    @Test func everyMistakeIsALine() throws {
        let file = try file(
            """
            services:
              one:
                type: echo
                idle-timeout: 5 minutes
                lisetn: 127.0.0.1:7777
                listen: 127.0.0.1:7778
                workers: 0
              two:
                type: relay
            """
        )
        let ended = try Program.run("ringback", "check", file.path)
        #expect(ended.status == 2 && ended.output == "")
        #expect(
            ended.errorLines == [
                "\(file.path):4:19: The value '5 minutes' is invalid for "
                    + "'--idle-timeout <idle-timeout>'",
                "\(file.path):5:5: unknown key 'lisetn'; did you mean 'listen'?",
                "\(file.path):7:5: service 'one': --workers must be from 1 to 1024, or auto, not 0",
                "\(file.path):8:3: service 'two': --to is missing: where to relay to",
            ]
        )
    }

    @Test func aFileThatIsNone() throws {
        for (path, words) in [("/nowhere", "No such file"), ("/tmp", "Is a directory")] {
            let ended = try Program.run("ringback", "check", path)
            #expect(ended.status == 2 && ended.errorLines.count == 1)
            #expect(ended.errors.hasPrefix("\(path): \(words)"), "\(ended.errors)")
        }
    }

    /// Port 7 is taken by nobody here, no socket is made, and nobody has the right to take it.
    @Test(.enabled(if: getuid() == 0)) func checkingTakesNoRight() throws {
        let file = try file("services: {one: {type: echo, listen: '0.0.0.0:7'}}")
        let ended = try Program.shell(
            "mkdir -p /tmp/ringback-bin && cp \(Place.binaries)/ringback /tmp/ringback-bin/ && "
                + "chmod 644 \(file.path) && cd /tmp/ringback-bin && "
                + "strace -f -o calls -e trace=%network,io_uring_setup "
                + "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "
                + "./ringback check \(file.path); grep -c -e AF_INET -e io_uring_setup calls"
        )
        #expect(ended.output == "OK: 1 service\n0\n", "\(ended.output)\(ended.errors)")
    }

    // ---- config ----

    @Test func whatIsInForceIsAFileThatBringsItAboutAgain() throws {
        let example = Place.root + "/docs/examples/ringback.yaml"
        let one = try Program.run(
            "ringback",
            "config",
            "--config",
            example,
            "relay",
            "--retries=9",
            "--no-pin",
            environment: ["RINGBACK_IDLE_TIMEOUT": "77s"]
        )
        #expect(one.status == 0 && one.errors == "")
        #expect(one.output.contains("    retries: 9  # command line\n"))
        #expect(one.output.contains("    idle-timeout: 77s  # RINGBACK_IDLE_TIMEOUT\n"))
        let file = try file(one.output)
        let again = try Program.run("ringback", "config", "--config", file.path)
        #expect(again.status == 0)
        func withoutComments(_ text: String) -> [String] {
            text.components(separatedBy: "\n").map { $0.components(separatedBy: "  # ")[0] }
        }
        #expect(withoutComments(one.output) == withoutComments(again.output))
        #expect(try Program.run("ringback", "check", file.path).output == "OK: 3 services\n")
    }

    @Test func aCommandLineBecomesAFile() throws {
        let ended = try Program.run("ringback", "config", "relay", "--to", "a:1", "--to=b:2")
        #expect(ended.status == 0)
        let file = try file(ended.output)
        #expect(try Program.run("ringback", "check", file.path).output == "OK: 1 service\n")
        #expect(ended.output.contains("      - a:1\n      - b:2\n"))
    }

    @Test func jsonSaysTheSame() throws {
        struct Written: Decodable {
            struct Service: Decodable {
                let name: String
                let type: String
                let settings: [String: Setting]
            }
            struct Setting: Decodable { let origin: String }
            let services: [Service]
            let process: [String: Setting]
        }
        let ended = try Program.run("ringback", "config", "--json", "echo", "--no-pin")
        let written = try JSONDecoder().decode(Written.self, from: Data(ended.output.utf8))
        #expect(written.services.map(\.name) == ["echo"] && written.services[0].type == "echo")
        #expect(written.services[0].settings["pin"]?.origin == "command line")
        #expect(written.services[0].settings["buffers"]?.origin == "default")
        #expect(written.process["admin"] != nil)
    }

    @Test(arguments: [
        (["config"], "--config FILE is missing"), (["config", "ech"], "'ech' is no type"),
        (["config", "echo", "--colour"], "Unknown option '--colour'"),
        (["check"], "Missing expected argument '<file>'"),
    ])
    func badCommandLinesAreUsageErrors(_ arguments: [String], _ words: String) throws {
        let ended = try Program(["ringback"] + arguments).wait()
        #expect(ended.status == 2 && ended.output == "")
        #expect(ended.errorLines.count == 1 && ended.errors.contains(words), "\(ended.errors)")
    }

    // ---- the environment ----

    /// What a service says of itself when it begins and when it ends, within a second.
    private func saidInASecond(_ service: [String], _ environment: [String: String]) throws -> Ended
    {
        let limited = ["timeout", "-s", "TERM", "1", "ringback"]
        return try Program(limited + service, environment: environment).wait()
    }

    @Test func theEnvironmentIsBelowFlagsAndAboveDefaults() throws {
        let environment = [
            "RINGBACK_LISTEN": "127.0.0.1:18761 127.0.0.1:18762", "RINGBACK_BACKEND": "epoll",
            "RINGBACK_TO": "127.0.0.1:9", "RINGBACK_SOAK": "1",
        ]
        let set = try saidInASecond(["relay"], environment).errors
        let all = "relay on 127.0.0.1:18761, 127.0.0.1:18762 to 127.0.0.1:9 by epoll"
        #expect(set.contains(all), "\(set)")
        #expect(!set.contains("RINGBACK"), "of what is another's nothing is said")
        let flags = ["relay", "--listen=127.0.0.1:18763", "--to", "127.0.0.1:10"]
        let overruled = try saidInASecond(flags, environment).errors
        #expect(
            overruled.contains("relay on 127.0.0.1:18763 to 127.0.0.1:10 by epoll"),
            "\(overruled)"
        )
    }

    @Test func aVariableThatSetsNothingIsAWarning() throws {
        let found = try saidInASecond(
            ["echo", "--listen", "127.0.0.1:0"],
            ["RINGBACK_IDLETIMEOUT": "5m", "RINGBACK_PORT_8888_TCP": "tcp://10.0.0.1"]
        )
        let warnings = found.errorLines.filter { $0.hasPrefix("ringback: RINGBACK") }
        #expect(
            warnings == [
                "ringback: RINGBACK_IDLETIMEOUT sets nothing: there is no such option; did you "
                    + "mean 'RINGBACK_IDLE_TIMEOUT'?"
            ]
        )
        #expect(found.errors.contains("echo on 127.0.0.1:"), "it serves all the same")
    }

    @Test func aVariableWithABadValueIsNamed() throws {
        let ended = try Program.run(
            "ringback",
            "echo",
            environment: ["RINGBACK_IDLE_TIMEOUT": "5", "RINGBACK_WORKERS": "many"]
        )
        #expect(ended.status == 2)
        #expect(
            ended.errorLines == [
                "RINGBACK_IDLE_TIMEOUT: The value '5' is invalid for "
                    + "'--idle-timeout <idle-timeout>'",
                "RINGBACK_WORKERS: The value 'many' is invalid for '--workers <workers>'",
            ]
        )
        let help = try Program.run(
            "ringback",
            "echo",
            "--help",
            environment: ["RINGBACK_IDLE_TIMEOUT": "5"]
        )
        #expect(help.status == 0, "help is had also then")
    }
}
