// The options of `ringback doctor` that write what the surroundings of the service need to let it
// run.

import ArgumentParser
import Doctor
import Glibc
import Net
import Options

/// `--write-seccomp`, `--write-systemd`, `--force`.
struct WriteOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write a seccomp profile for containers that allows io_uring; - is stdout.",
            valueName: "file"
        )
    )
    var writeSeccomp: String?

    @Option(
        help: ArgumentHelp(
            """
            Write a drop-in for the systemd unit with the limits that the options above need on \
            this host; - is stdout.
            """,
            valueName: "file"
        )
    )
    var writeSystemd: String?

    @Flag(help: "Write over a file that is there.")
    var force = false

    /// Writes what is asked for, and says whether anything was.
    func write(_ checkup: Checkup) throws -> Bool {
        let wanted = [
            (writeSeccomp, "--write-seccomp", SeccompProfile.text),
            (writeSystemd, "--write-systemd", checkup.dropIn),
        ]
        for case (let path?, let option, let text) in wanted {
            try write(text, to: path, for: option)
        }
        return writeSeccomp != nil || writeSystemd != nil
    }

    private func write(_ text: String, to path: String, for option: String) throws {
        guard path != "-" else { return print(text, terminator: "") }
        // x: only where there is no such file.
        guard let file = fopen(path, force ? "we" : "wxe") else {
            let reason = Errno(rawValue: errno)
            throw Failure(
                .couldNotRun,
                reason.rawValue == EEXIST
                    ? "\(option): '\(path)' is there already; --force writes over it"
                    : "\(option): cannot write '\(path)': \(reason)"
            )
        }
        let written = fputs(text, file) >= 0
        guard fclose(file) == 0, written else {
            throw Failure(.couldNotRun, "\(option): cannot write '\(path)'")
        }
    }
}
