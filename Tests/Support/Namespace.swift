// Namespace: a network namespace of a test's own. It lives as long as the process that sits in it,
// so it goes with its owner, and nothing has to be cleaned up where a test is killed.

import Foundation

/// A network namespace with a loopback. Needs root.
public final class Namespace {
    private let keeper: Program

    public init() throws {
        keeper = try Program(["unshare", "--net", "sleep", "600"])
        let own = try Namespace.link("self")
        let deadline = Date().addingTimeInterval(10)
        while try Namespace.link("\(keeper.identifier)") == own {
            guard Date() < deadline else { throw Failed(line: "unshare --net") }
            usleep(2000)
        }
    }

    deinit { keeper.signal(SIGKILL) }

    private static func link(_ process: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
    }

    /// How `ip` calls it.
    public var name: String { "\(keeper.identifier)" }

    /// What to write before a command so that it runs in it.
    public var inside: [String] { ["nsenter", "--net=/proc/\(keeper.identifier)/ns/net"] }

    /// Runs a command in it.
    ///
    /// - Returns: what it wrote.
    @discardableResult
    public func run(_ command: [String]) throws -> String {
        let ended = try Program(inside + command).wait()
        guard ended.status == 0 else {
            throw Failed(line: command.joined(separator: " ") + ": " + ended.errors)
        }
        return ended.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A command that did not do what it should.
    public struct Failed: Error { public let line: String }
}
