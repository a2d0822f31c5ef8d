// ringback doctor: whether this host serves as well as it could, and what to do where it does not.

import ArgumentParser
import Doctor
import FoundationEssentials
import Net
import Options

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at this host, and say what costs and how to mend it.",
        discussion: """
            Examples:
              ringback doctor
              ringback doctor --max-connections 50000 --relay
              ringback doctor --json | jq '.[] | select(.verdict != "fine")'
              ringback doctor --write-seccomp /var/lib/kubelet/seccomp/ringback.json
              ringback doctor --write-systemd \\
                /etc/systemd/system/ringback.service.d/host.conf

            With --write-... it writes what lets the service run as asked, and says nothing of the
            host; otherwise nothing is changed. Run it as the user and in the container of the
            service: most of what it looks at differs between them. Each chapter that it names is
            one of Tuning.md.

            Exit status: 0 all is fine, 3 something costs, 1 something keeps the service from
            running as asked, 2 bad arguments.
            """
    )

    @Option(help: "Clients at once that the service is wanted for.")
    var maxConnections = 10_000

    @Option(help: "Worker threads that it is to have: auto is one for each CPU.")
    var workers: WorkerCount = .auto

    @Option(help: "The kernel interface that it is to use: uring refuses any other.")
    var backend: BackendChoice = .auto

    @Flag(help: "Look with a relay in mind, which has two connections for each client.")
    var relay = false

    @Flag(help: "Write the findings as JSON.")
    var json = false

    @OptionGroup(title: "Files for the service's surroundings")
    var files: WriteOptions

    func run() throws {
        guard maxConnections >= 1 else {
            throw Failure(.usage, "--max-connections must be at least 1, not \(maxConnections)")
        }
        let workerCount = try workers.resolve(cpus: CPUSet.allowed().count)
        let purpose = Purpose(
            connections: maxConnections,
            slotsPerClient: relay ? 2 : 1,
            otherDescriptors: DescriptorRoom.reserve + 2 * MemoryOptions.usualPipes * workerCount,
            workers: workerCount,
            demandsUring: backend == .uring
        )
        let checkup = Checkup(HostReading.read(), for: purpose)
        guard try !files.write(checkup) else { return }
        let findings = checkup.findings
        print(json ? try DoctorCommand.encoded(findings) : Prescription.text(findings))
        switch Prescription.verdict(findings) {
        case .fine: return
        case .costs: throw Failure(.gateBreached)
        case .broken: throw Failure(.couldNotRun)
        }
    }

    private static func encoded(_ findings: [Finding]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(findings), as: UTF8.self)
    }
}
