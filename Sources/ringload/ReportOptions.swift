// ReportOptions: where the results of a run go, and what they are held against.

public import ArgumentParser
import Measure
import Options
public import Report

/// Options of everything that measures.
struct ReportOptions: ParsableArguments {
    @Option(help: "The server's process, to account for what it spends.")
    var serverPid: Int32?

    @Flag(help: "Count the system calls of both processes, which slows them a little (root).")
    var countSystemCalls = false

    @Option(help: ArgumentHelp("Write the results as JSON; - is stdout.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write the figures of each second as CSV.", valueName: "file"))
    var csv: String?

    @Option(help: ArgumentHelp("Write the results as one page with plots.", valueName: "file"))
    var report: String?

    @Option(
        help: ArgumentHelp(
            "Write the latencies of each second as an HdrHistogram log.",
            valueName: "file"
        )
    )
    var hdr: String?

    @Option(
        help: ArgumentHelp(
            "Limits that the run has to keep, such as 'p99<2ms,errors=0'; exit 3 otherwise.",
            valueName: "limits"
        )
    )
    var gate: Gate?

    @Flag(help: "Exit 0 though the audit says INVALID.")
    var ignoreAudit = false

    /// Refuses what cannot be.
    func validate() throws {
        if let serverPid, ProcessorTime.nanoseconds(ofProcess: serverPid) == nil {
            throw ValidationError("--server-pid \(serverPid): there is no such process")
        }
    }
}

extension Gate: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
