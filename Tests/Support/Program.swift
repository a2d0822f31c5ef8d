// Program: the release executables as a user runs them, and what came of it.

public import Foundation

/// Where things are.
public enum Place {
    public static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The folder of the executables: the release build's unless RINGBACK_BINARIES names another.
    public static let binaries =
        ProcessInfo.processInfo.environment["RINGBACK_BINARIES"] ?? root + "/.build/release"
    public static let allocationCounter = root + "/.build-support/allocation-counter.so"
    public static let goEcho = root + "/.build-support/go-echo"

    public static var hasBinaries: Bool {
        FileManager.default.isExecutableFile(atPath: binaries + "/ringback")
            && FileManager.default.isExecutableFile(atPath: binaries + "/ringload")
    }

    public static var hasGoEcho: Bool { FileManager.default.isExecutableFile(atPath: goEcho) }

    /// Whether the loopback has its IPv6 address; a container's may not.
    public static var hasIPv6: Bool {
        let addresses = try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)
        return addresses?.contains("00000000000000000000000000000001 ") ?? false
    }
}

/// The executables that were built with the tests.
public enum Built {
    /// One of them.
    public static func path(_ name: String) -> String {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: own ?? "").deletingLastPathComponent().path + "/" + name
    }
}

/// A program that has ended.
public struct Ended {
    public let status: Int32
    public let output: String
    public let errors: String

    /// What it said on stderr, line by line.
    public var errorLines: [Substring] { errors.split(separator: "\n") }
}

/// A program that runs.
public final class Program {
    private let process = Process()
    private let output = TemporaryFile()
    private let errors = TemporaryFile()

    /// Starts a program; `arguments` begin with its name, which is looked up in PATH and among the
    /// project's executables.
    public init(_ arguments: [String], environment: [String: String] = [:]) throws {
        var variables = ProcessInfo.processInfo.environment
        variables["PATH"] = Place.binaries + ":" + (variables["PATH"] ?? "/usr/bin:/bin")
        variables.merge(environment) { $1 }
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output.handle
        process.standardError = errors.handle
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    public var identifier: Int32 { process.processIdentifier }
    public var outputSoFar: String { output.text }
    public var errorsSoFar: String { errors.text }

    /// Sends a signal.
    /// Waits until it has said something on stderr, so many times in all.
    public func waitUntilItSays(_ part: String, times: Int = 1, seconds: Double = 15) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while errorsSoFar.components(separatedBy: part).count - 1 < times {
            guard Date() < deadline else { throw DidNotSay(part: part, said: errorsSoFar) }
            usleep(2000)
        }
    }

    public struct DidNotSay: Error {
        public let part: String
        public let said: String
    }

    public func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for its end, at most so long.
    public func wait(seconds: Double = 30) throws -> Ended {
        let deadline = Date().addingTimeInterval(seconds)
        while process.isRunning {
            guard Date() < deadline else { throw TimedOut(what: process.arguments ?? []) }
            usleep(5000)
        }
        return Ended(
            status: process.terminationReason == .exit
                ? process.terminationStatus : 128 + process.terminationStatus,
            output: output.text,
            errors: errors.text
        )
    }

    public struct TimedOut: Error {
        public let what: [String]
        public init(what: [String]) { self.what = what }
    }

    /// Runs a program to its end.
    public static func run(_ arguments: String..., environment: [String: String] = [:]) throws
        -> Ended
    {
        try Program(arguments, environment: environment).wait()
    }

    /// Runs a line of shell to its end.
    public static func shell(_ line: String) throws -> Ended {
        try Program(["bash", "-c", line]).wait(seconds: 60)
    }
}

/// `ringback echo` on a port that the kernel chooses.
public final class Server {
    public let program: Program
    public let host: String
    public let port: UInt16
    private let socketsAtFirst: Set<String>

    public init(
        _ options: [String],
        wrapper: [String] = [],
        environment: [String: String] = [:],
        executable: String = "ringback",
        service: String = "echo",
        listen: String = "127.0.0.1:0"
    ) throws {
        let command = wrapper + [executable, service, "--listen", listen] + options
        program = try Program(command, environment: environment)
        let deadline = Date().addingTimeInterval(20)
        while true {
            let line = /(?:echo|relay) on ([0-9.]+|\[[^\]]+\]):(\d+)/
            if let match = program.errorsSoFar.firstMatch(of: line),
                let number = UInt16(match.2)
            {
                host = String(match.1)
                port = number
                socketsAtFirst = try Self.sockets(of: program)
                return
            }
            guard Date() < deadline else {
                throw NotReady(said: program.errorsSoFar)
            }
            usleep(5000)
        }
    }

    public struct NotReady: Error { public let said: String }

    public var address: String { "\(host):\(port)" }

    /// The memory that it has in use.
    public func residentBytes() throws -> Int {
        let path = "/proc/\(program.identifier)/statm"
        let fields = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ")
        return (Int(fields[1]) ?? 0) * 4096
    }

    /// The descriptors of its connections: every socket that it did not have when it began.
    public func connections() throws -> Set<String> {
        try Self.sockets(of: program).subtracting(socketsAtFirst)
    }

    private static func sockets(of program: Program) throws -> Set<String> {
        let folder = "/proc/\(program.identifier)/fd"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return Set(
            names.filter {
                let target = try? FileManager.default
                    .destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
                return target?.hasPrefix("socket:") == true
            }
        )
    }

    /// Waits until it has so many connections.
    public func waitForConnections(_ count: Int, seconds: Double = 20) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while try connections().count != count {
            guard Date() < deadline else {
                throw NotReady(said: "\(try connections().count) connections, not \(count)")
            }
            usleep(10_000)
        }
    }

    /// Asks it to stop and waits.
    public func stop() throws -> Ended {
        program.signal(SIGTERM)
        return try program.wait()
    }

    /// The thread of a worker.
    public func workerThread(_ number: Int = 0) throws -> Int32 {
        let folder = "/proc/\(program.identifier)/task"
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            let title = try String(contentsOfFile: "\(folder)/\(name)/comm", encoding: .utf8)
            if title == "echo-\(number)\n" { return Int32(name) ?? 0 }
        }
        throw NotReady(said: "no worker thread")
    }
}

/// A file that goes with its owner.
public final class TemporaryFile {
    public let path = NSTemporaryDirectory() + "ringback-" + UUID().uuidString
    public let handle: FileHandle

    public init() {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        handle = FileHandle(forUpdatingAtPath: path)!
    }

    /// A handle that a `Process` was given outlives it, and 1360 of them break the next: Foundation
    /// copies each entry of /dev/fd as if it were of the greatest size.
    deinit {
        try? handle.close()
        try? FileManager.default.removeItem(atPath: path)
    }

    public var text: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
}
