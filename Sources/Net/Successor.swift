// Successor: another process of the same program, perhaps of a newer version of it, that goes on
// with the sockets on which this one listens. Nothing is given up until it says that it serves.

import CLinux
import Glibc

/// A process that is to take over.
public struct Successor: Sendable {
    /// Its number.
    public let process: Int32
    /// Where it says that it serves; the end of it says that it will not.
    private let ready: Descriptor

    // What the successor finds in its environment.
    static let socketsVariable = "RINGBACK_SUCCEEDED_SOCKETS"
    static let namesVariable = "RINGBACK_SUCCEEDED_NAMES"
    static let readyVariable = "RINGBACK_SUCCEEDED_READY"
    static let confinementVariable = "RINGBACK_SUCCEEDED_CONFINEMENT"

    /// Starts the program that has this one's name now, with this one's arguments.
    ///
    /// - Parameters:
    ///   - sockets: what it is to listen on, with the names that a service manager gave them; the
    ///     caller keeps his descriptors.
    ///   - confinement: what the kernel holds it to from its first instruction on, in the words of
    ///     whoever confines.
    public static func start(
        handingOver sockets: [ServiceManager.Socket],
        confinement: String
    ) throws(SystemError) -> Successor {
        let pipe = try Pipe(byteCount: 1)
        defer { pipe.writeEnd.close() }
        do throws(SystemError) {
            let process = try spawn(
                sockets.map(\.descriptor) + [pipe.writeEnd],
                names: sockets.map(\.name),
                confinement
            )
            return Successor(process: process, ready: pipe.readEnd)
        } catch {
            pipe.readEnd.close()
            throw error
        }
    }

    /// Waits until it serves. Where it does not, it has ended or is ended.
    public func waitUntilItServes(nanoseconds: UInt64) -> Bool {
        defer { ready.close() }
        var entry = pollfd(fd: ready.rawValue, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(clamping: nanoseconds / .nanosecondsPerMillisecond)
        var byte: UInt8 = 0
        if poll(&entry, 1, milliseconds) == 1, read(ready.rawValue, &byte, 1) == 1 { return true }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        return false
    }

    /// Starts the program with descriptors from 3 on, the last of which is the one to say so on.
    private static func spawn(
        _ descriptors: [Descriptor],
        names: [String],
        _ confinement: String
    ) throws(SystemError) -> Int32 {
        let first = Int32(ServiceManager.firstDescriptor)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // None of the sources may be where another one is to go.
        var copies: [Int32] = []
        defer { for copy in copies { close(copy) } }
        for (number, descriptor) in descriptors.enumerated() {
            let above = first + Int32(descriptors.count)
            let copy = fcntl(descriptor.rawValue, F_DUPFD_CLOEXEC, above)
            guard copy >= 0 else { throw SystemError("fcntl", Errno(rawValue: errno)) }
            copies.append(copy)
            posix_spawn_file_actions_adddup2(&actions, copy, first + Int32(number))
        }
        // Nothing else is the successor's, such as what this process was started with.
        _ = clinux_close_on_exec_from(first)
        let count = descriptors.count - 1
        let environment =
            currentEnvironment + [
                "\(socketsVariable)=\(count)", "\(namesVariable)=\(names.joined(separator: ":"))",
                "\(readyVariable)=\(first + Int32(count))",
                "\(confinementVariable)=\(confinement)",
            ]
        var process: pid_t = 0
        let result = withStrings(CommandLine.arguments) { arguments in
            withStrings(environment) { environment in
                posix_spawnp(&process, arguments[0]!, &actions, nil, arguments, environment)
            }
        }
        guard result == 0 else { throw SystemError("posix_spawn", Errno(rawValue: result)) }
        return process
    }

    private static var currentEnvironment: [String] {
        var lines: [String] = []
        var entry = environ
        while let line = entry.pointee {
            lines.append(String(cString: line))
            entry += 1
        }
        return lines
    }

    /// Texts as C has them, with nil behind the last.
    private static func withStrings<R>(
        _ texts: [String],
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var pointers = texts.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }
}
