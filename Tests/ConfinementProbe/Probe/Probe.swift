// The probe of `Confinement`: becomes what a thread of the server is, by the same calls, then tries
// what such a thread must not do, and prints what the kernel said to each attempt.
//
//     confinement-probe worker --seccomp on --landlock off --rings on --port 5000 ...

import ArgumentParser
import Attempts
import Confinement
import Glibc

/// Which thread of the server it is to be.
enum Role: String, ExpressibleByArgument {
    case process
    case echo
    case relay
    case admin
}

enum Switch: String, ExpressibleByArgument {
    case on
    case off

    var choice: MeasureChoice { self == .on ? .required : .off }
}

@main
struct Probe: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "confinement-probe")

    @Argument var role: Role
    @Option var seccomp: Switch
    @Option var landlock: Switch
    @Option var rings: Switch
    @Option(help: "A port that the thread may connect to.") var port: UInt16
    @Option(help: "A port that it may not connect to.") var otherPort: UInt16
    @Option(help: "A folder in which the process may write.") var folder: String
    @Option(help: "A folder in which it may not.") var otherFolder: String
    @Option(help: "Who to become first.") var user: String?

    private static let calls = [
        "read", "write", "exec", "fork", "code", "socket", "datagram", "packet", "connect", "bind",
        "ring", "trace", "signal", "unknown", "root",
    ]

    func run() throws {
        guard attempt_prepare() == 0, attempt_open_ring(rings == .on, role == .relay) == 0 else {
            throw ValidationError("there is no ring to try")
        }
        if let user { try Identity(parsing: user).assume() }
        let confinement = Confinement(seccomp: seccomp.choice, landlock: landlock.choice)
        let rights = ProcessRights(
            writableFolders: [folder],
            connects: .only([port]),
            binds: .only([port])
        )
        _ = try confinement.enterProcess(rights)
        switch role {
        case .process: break
        case .echo: try confinement.enterWorker(connectsTo: [])
        case .relay: try confinement.enterWorker(connectsTo: [port])
        case .admin: try confinement.enterAdmin()
        }
        var lines: [String] = []
        func note(_ name: String, _ result: Int32) { lines.append("\(name) \(-min(0, result))") }
        let (inside, outside) = (folder + "/probe", otherFolder + "/probe")
        for name in Probe.calls { note(name, attempt_call(name, otherPort, outside)) }
        note("connect-allowed", attempt_call("connect", port, outside))
        note("write-allowed", attempt_call("write", port, inside))
        for name in ["read", "write", "socket", "connect", "connect-aside", "register"] {
            note("ring-\(name)", attempt_by_ring(name, otherPort, outside))
        }
        note("ring-connect-allowed", attempt_by_ring("connect", port, outside))
        // Whoever is in a namespace of his own has other rights there.
        note("namespace", attempt_call("namespace", otherPort, outside))
        let text = Array((lines.joined(separator: "\n") + "\n").utf8)
        _ = write(STDOUT_FILENO, text, text.count)
    }
}
