// The fault matrix: which calls of the release server are made to fail, with which errors, and what
// may come of it. strace plays the kernel that refuses: it skips the call, and answers with the
// error.
//
// What an injected fault means:
// - `when=1` and `when=7+7` count the calls of each thread by itself.
// - A program's start makes calls of its own (the loader maps and closes libraries), which are no
//   business of ours. They are counted once, by a run that only prints the version.
// - Threads begin to count anew, so the mappings of the workers come under another tracer: it is
//   attached while the server waits for somebody to read its access log, which is a pipe.
// - An injected close is not carried out, so the client may wait for a FIN that never leaves. Linux
//   releases the descriptor whatever close(2) says; no server can do anything about one that stays.

import Foundation
import Support

/// Which of its calls fail.
enum FaultMoment: Equatable {
    /// The first of each thread.
    case first
    /// The seventh of each thread, and every seventh from there.
    case seventh
    /// All of them, and one of another number: in tests beside the matrix.
    case always
    case only(Int)

    /// As strace says it, after so many calls that are none of ours.
    func when(after skipped: Int) -> String {
        switch self {
        case .first: "\(skipped + 1)"
        case .seventh: "\(skipped + 7)+7"
        case .always: "\(skipped + 1)+"
        case .only(let number): "\(skipped + number)"
        }
    }
}

/// What a fault may do to a client.
enum FaultHarm {
    /// Nothing at all.
    case none
    /// It breaks the connection that it happened to, by RST.
    case breaks
    /// It leaves a descriptor open, and its client without FIN.
    case staysOpen
}

/// A call that fails, and where.
struct FaultRow: CustomStringConvertible {
    let backend: String
    let calls: String
    var options: [String] = []
    /// Whether the fault begins with the workers, and not with the program.
    var beginsWithWorkers = false
    /// Whether the clients read nothing until the server has to queue.
    var readsLate = false

    var description: String {
        "\(backend) \(calls)" + (beginsWithWorkers ? " of workers" : "")
    }

    static let all: [FaultRow] =
        ["io_uring_setup", "io_uring_register", "io_uring_enter"].flatMap { call in
            ["auto", "uring"].map { FaultRow(backend: $0, calls: call) }
        }
        + ["auto", "epoll"].flatMap { backend in
            ["mmap", "socket", "bind", "listen", "close"].map {
                FaultRow(backend: backend, calls: $0, options: ["--workers", "2"])
            } + [FaultRow(backend: backend, calls: "mmap", beginsWithWorkers: true)]
        }
        + ["epoll_create1", "epoll_ctl", "epoll_pwait2", "accept4", "recvfrom", "sendto"].map {
            FaultRow(backend: "epoll", calls: $0, options: ["--workers", "1"])
        } + [
            // A worker that has no deadline waits with the older call.
            FaultRow(
                backend: "epoll",
                calls: "epoll_wait",
                options: ["--workers", "1", "--half-close-timeout", "0", "--write-timeout", "0"]
            ),
            FaultRow(
                backend: "epoll",
                calls: "close",
                options: ["--workers", "1"],
                beginsWithWorkers: true
            ),
            FaultRow(
                backend: "epoll",
                calls: "sendmsg",
                options: ["--workers", "1", "--buffer-bytes", "512", "--pipes", "0"],
                readsLate: true
            ),
            FaultRow(
                backend: "epoll",
                calls: "splice",
                options: ["--workers", "1", "--buffer-bytes", "512"],
                readsLate: true
            ),
            FaultRow(
                backend: "uring",
                calls: "splice",
                options: ["--workers", "1", "--buffer-bytes", "512"],
                readsLate: true
            ),
        ]
}

/// One combination.
struct FaultCell: CustomStringConvertible {
    let row: FaultRow
    let error: String
    let moment: FaultMoment

    static let errors = ["EINTR", "EAGAIN", "EBUSY", "ENOMEM", "EMFILE", "EPERM", "ENOSYS"]

    static func all(of row: FaultRow) -> [FaultCell] {
        errors.flatMap { error in
            [.first, .seventh].map { FaultCell(row: row, error: error, moment: $0) }
        }
    }

    var description: String { "\(row) \(error) \(moment)" }

    /// What the fault may do to a client: an interrupted call is made again, and one that had
    /// nothing to do as well; anything else breaks one connection where it happened to one.
    var harm: FaultHarm {
        switch row.calls {
        case "close": .staysOpen
        case "epoll_ctl": .breaks
        case "recvfrom", "sendto", "sendmsg", "splice":
            ["EINTR", "EAGAIN"].contains(error) ? .none : .breaks
        default: .none
        }
    }

    /// The options of strace.
    func injection(skipping skipped: Int, log: String) -> [String] {
        let when = moment.when(after: skipped)
        return ["-f", "-qq", "-o", log, "-e", "trace=\(row.calls)"]
            + ["-e", "inject=\(row.calls):error=\(error):when=\(when)"]
    }
}

/// What became of a cell.
enum FaultVerdict: Character {
    /// The fault never came: the call is not made as often.
    case unreached = "."
    /// Every client got exactly its bytes, and its end.
    case exact = "="
    /// The same, on epoll, which the server said that it had to use.
    case fallsBack = "e"
    /// Some connections ended with RST, the others were served exactly.
    case breaksSome = "r"
    /// Some connections got their bytes and no FIN, the others were served exactly.
    case leavesOpen = "o"
    /// The service did not start, or ended, with one line that names the cause.
    case exits = "x"

    static let legend =
        ". not reached, = served exactly, e served exactly by epoll, r some reset, "
        + "o some left open, x ended with a named error"
}
