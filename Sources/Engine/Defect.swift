// Defect: how the process ends when the kernel gives an answer with which no worker can go on.

import Glibc
import Net

/// Ends the process on an answer of the kernel that only a fault of our own explains, or a policy
/// that has begun to forbid what it allowed at the start (a seccomp filter, for example).
///
/// The operator gets one line and status 1, as for every other failure, and no backtrace: memory is
/// sound. It is not left to the executables, since nothing may be done any more: what is in flight
/// still uses the buffers, and the clients are best told by the end of the process, which is RST.
@inline(never)
func defect(_ call: StaticString, _ error: Errno) -> Never {
    let program = CommandLine.arguments.first?.split(separator: "/").last ?? "ringback"
    let failure = SystemError(call, error)
    let line = "\(program): cannot go on: \(failure); has a policy changed? Start it again\n"
    let text = Array(line.utf8)
    _ = write(STDERR_FILENO, text, text.count)
    _exit(1)
}
