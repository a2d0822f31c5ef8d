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
    /// Where it can be given connections; nil where that was not wanted.
    private let connections: DescriptorChannel?

    // What the successor finds in its environment.
    static let socketsVariable = "RINGBACK_SUCCEEDED_SOCKETS"
    static let namesVariable = "RINGBACK_SUCCEEDED_NAMES"
    static let readyVariable = "RINGBACK_SUCCEEDED_READY"
    static let confinementVariable = "RINGBACK_SUCCEEDED_CONFINEMENT"
    static let connectionsVariable = "RINGBACK_SUCCEEDED_CONNECTIONS"
    /// What a successor says that takes connections, before it says that it serves. Another version
    /// of what follows has another greeting, and whoever does not know it keeps its connections.
    static let greeting = Array("connections 1".utf8)

    /// Starts the program that has this one's name now, with this one's arguments.
    ///
    /// - Parameters:
    ///   - sockets: what it is to listen on, with the names that a service manager gave them; the
    ///     caller keeps his descriptors.
    ///   - givesConnections: whether there are connections to be given to it.
    ///   - confinement: what the kernel holds it to from its first instruction on, in the words of
    ///     whoever confines.
    public static func start(
        handingOver sockets: [ServiceManager.Socket],
        givesConnections: Bool,
        confinement: String
    ) throws(SystemError) -> Successor {
        let pipe = try Pipe(byteCount: 1)
        defer { pipe.writeEnd.close() }
        var channel: (ours: DescriptorChannel, its: DescriptorChannel)?
        defer { channel?.its.close() }
        do throws(SystemError) {
            if givesConnections { channel = try DescriptorChannel.pair() }
            let process = try spawn(
                sockets.map(\.descriptor),
                names: sockets.map(\.name),
                ready: pipe.writeEnd,
                connections: channel?.its.descriptor,
                confinement: confinement
            )
            return Successor(
                process: process,
                ready: pipe.readEnd,
                connections: channel?.ours
            )
        } catch {
            pipe.readEnd.close()
            channel?.ours.close()
            throw error
        }
    }

    /// Where it takes connections, once it serves; nil where it does not. Asked for once, and the
    /// caller's then.
    public func takeConnections() -> DescriptorChannel? {
        guard let connections else { return nil }
        guard connections.waits(forAtMost: 0),
            connections.receive()?.bytes == Successor.greeting
        else {
            connections.close()
            return nil
        }
        return connections
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
        connections?.close()
        return false
    }

    /// Starts the program with descriptors from 3 on: the sockets, and behind them the one to say
    /// on that it serves, and the one on which it is given connections.
    private static func spawn(
        _ sockets: [Descriptor],
        names: [String],
        ready: Descriptor,
        connections: Descriptor?,
        confinement: String
    ) throws(SystemError) -> Int32 {
        let descriptors = sockets + [ready] + (connections.map { [$0] } ?? [])
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
        let behind = first + Int32(sockets.count)
        var environment =
            currentEnvironment + [
                "\(socketsVariable)=\(sockets.count)",
                "\(namesVariable)=\(names.joined(separator: ":"))", "\(readyVariable)=\(behind)",
                "\(confinementVariable)=\(confinement)",
            ]
        if connections != nil { environment.append("\(connectionsVariable)=\(behind + 1)") }
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
