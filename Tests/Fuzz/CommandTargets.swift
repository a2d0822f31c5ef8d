// The command lines of both programs, as far as they go without a socket: parsed, or refused with a
// message, and then judged option by option as the command does.

import ArgumentParser
import Engine
import Net
import Options

@testable import ringback
@testable import ringload

func checkEchoCommand(_ arguments: [String]) throws {
    guard let echo = try parse(Ringback.self, ["echo"] + arguments) as? EchoCommand else { return }
    let command = echo.server
    for text in command.listen {
        guard let address = try? SocketAddress(parsing: text),
            let options = try? command.connections.listener(address)
        else { continue }
        try demand(options.backlog >= 1, "the kernel takes the backlog")
        try demand(options.userTimeoutMilliseconds >= 0, "the kernel takes the user timeout")
        try demand(options.sendBufferBytes >= 0, "the kernel doubles a buffer's size")
        try demand(options.receiveBufferBytes >= 0, "the kernel doubles a buffer's size")
    }
    if let policy = try? command.connections.policy() {
        try demand(policy.acceptsPerSecond >= 0, "a rate is not negative")
        try demand(policy.acceptsPerSecondPerAddress >= 0, "a rate is not negative")
    }
    guard let workerCount = try? command.workers.resolve(cpus: 2) else { return }
    guard let each = try? command.connections.perWorker(workerCount) else { return }
    var limits = Limits(connectionsMax: each)
    command.memory.apply(to: &limits)
    guard limits.problem == nil else { return }
    try demand(UInt32(exactly: limits.pendingBytesMax) != nil, "an outbox counts up to its mark")
}

func checkLoadCommand(_ arguments: [String]) throws {
    guard
        let command = try parse(Ringload.self, ["rr"] + arguments) as? RequestResponseCommand
    else { return }
    for target in command.load.targets { _ = try? SocketAddress.splitHostAndPort(target) }
    guard let workers = try? command.load.workers.resolve(cpus: 2) else { return }
    try demand((1...1024).contains(workers), "\(workers) workers can be started")
}

/// Parses a command line; where it is refused, says what is wrong, as the program would.
private func parse(
    _ root: any ParsableCommand.Type,
    _ arguments: [String]
) throws -> (any ParsableCommand)? {
    do {
        return try root.parseAsRoot(arguments)
    } catch {
        try demand(!root.fullMessage(for: error).isEmpty, "a refusal says something")
        return nil
    }
}
