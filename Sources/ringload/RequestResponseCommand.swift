// ringload rr: requests and their echoes, in a closed loop.

import ArgumentParser
import Engine
import Load
import Measure
import Net
import Options

struct RequestResponseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rr",
        abstract: "Send requests, wait for their echoes, measure how long they take.",
        discussion: """
            Examples:
              ringload rr 127.0.0.1:8888
              ringload rr 127.0.0.1:8888 --connections 400 --size 64 --depth 16 --duration 10s
              ringload rr localhost:8888 --size 1-65536 --verify --half-close
              ringload rr 127.0.0.1:8888 --server-pid $(pgrep -x ringback) --json -

            Exit status: 0 done, 1 could not run or connections broke, 2 bad arguments,
            5 payload mismatch, 130 and 143 ended by a signal (the figures so far are
            still reported).
            """
    )

    @Argument(help: ArgumentHelp("The server, such as 127.0.0.1:8888.", valueName: "host:port"))
    var target: String

    @Option(help: "Connections of all workers together.")
    var connections = 50

    @Option(help: "Request size: 64, 16k, or a range such as 1-65536.")
    var size = SizeRange(64)

    @Option(help: "Requests under way on each connection.")
    var depth = 1

    @Option(help: "How long to measure.")
    var duration = TimeSpan.seconds(10)

    @Option(help: "How long to run before measuring.")
    var warmup = TimeSpan.seconds(1)

    @Option(help: "Worker threads of the load generator.")
    var workers: WorkerCount = .count(1)

    @Option(help: "The load generator's own kernel interface.")
    var backend: BackendChoice = .auto

    @Option(help: ArgumentHelp("CPUs to pin the workers to, such as 1 or 2,3.", valueName: "list"))
    var cpus: String?

    @Flag(help: "Key every byte to its connection and offset, and check what comes back.")
    var verify = false

    @Flag(help: "Send FIN right behind the last request instead of after its response.")
    var halfClose = false

    @Option(help: "Read slowly: wait so long after each receive before reading on.")
    var readDelay = TimeSpan(nanoseconds: 0)

    @Option(help: "Decides sizes and keys; printed with the results.")
    var seed: UInt64?

    @Option(help: "The server's process, to account for its CPU time.")
    var serverPid: Int32?

    @Option(help: ArgumentHelp("Write the results as JSON; - is stdout.", valueName: "file"))
    var json: String?

    func run() throws {
        StopSignal.block()
        let (plan, explanation) = try makePlan()
        let outcome: LoadOutcome
        do {
            outcome = try LoadRun(plan, server: serverPid).run(
                warmupNanoseconds: warmup.nanoseconds,
                durationNanoseconds: duration.nanoseconds
            )
        } catch {
            throw Failure(.couldNotRun, error.explanation)
        }
        let report = LoadReport(plan, outcome, target: target)
        if json != "-" { print(report.text(backend: explanation, hasServer: serverPid != nil)) }
        if let json { try report.writeJSON(to: json) }
        try judge(outcome, plan)
    }

    private func judge(_ outcome: LoadOutcome, _ plan: LoadPlan) throws {
        if let signal = outcome.signal { throw Failure(ExitStatus(signal: signal)) }
        let errors = outcome.result.errors
        if errors.refused > 0, outcome.result.connectLatency.count == 0 {
            throw Failure(
                .couldNotRun,
                "\(target) refused every connection; is a server listening?"
            )
        }
        if outcome.result.connectLatency.count == 0 {
            throw Failure(.couldNotRun, "no connection to \(target) could be made")
        }
        if !outcome.result.integrity.isClean { throw Failure(.payloadMismatch) }
        if errors.total > 0 {
            throw Failure(.couldNotRun, "not every connection lasted; the figures are of the rest")
        }
    }

    private func makePlan() throws -> (LoadPlan, String) {
        let chosen = try backend.resolve()
        var plan = LoadPlan(target: try resolveTarget(), backend: chosen.backend)
        try check(connections, "--connections", 1...1_000_000)
        try check(depth, "--depth", 1...65536)
        try check(size.largest, "--size", 1...(1 << 30))
        guard duration.nanoseconds > 0 else { throw Failure(.usage, "--duration must be above 0") }
        try DescriptorRoom.prepare(forConnections: connections)
        let allowed = CPUSet.allowed()
        plan.workerCount = min(try workers.resolve(cpus: allowed.count), connections)
        plan.cpus = try parseCPUs(allowed)
        plan.connections = connections
        plan.smallestSize = size.smallest
        plan.largestSize = size.largest
        plan.depth = depth
        plan.verifies = verify
        plan.halfCloses = halfClose
        plan.readDelayNanoseconds = readDelay.nanoseconds
        plan.seed = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        if let serverPid, ProcessorTime.nanoseconds(ofProcess: serverPid) == nil {
            throw Failure(.usage, "--server-pid \(serverPid): there is no such process")
        }
        return (plan, chosen.explanation)
    }

    private func resolveTarget() throws -> SocketAddress {
        let (host, port): (String, UInt16)
        do {
            (host, port) = try SocketAddress.splitHostAndPort(target)
        } catch {
            throw Failure(.usage, "\(error)")
        }
        guard let address = SocketAddress.resolve(host: host, port: port).first else {
            throw Failure(.couldNotRun, "the name '\(host)' does not resolve to an address")
        }
        return address
    }

    private func parseCPUs(_ allowed: [Int32]) throws -> [Int32] {
        guard let cpus else { return [] }
        let numbers = cpus.split(separator: ",").map { Int32($0) }
        guard !numbers.isEmpty, numbers.allSatisfy({ $0.map(allowed.contains) ?? false }) else {
            let list = allowed.map(String.init).joined(separator: ",")
            throw Failure(.usage, "--cpus '\(cpus)': this process may run on \(list)")
        }
        return numbers.compactMap { $0 }
    }

    private func check(_ value: Int, _ option: String, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw Failure(
                .usage,
                "\(option) must be from \(range.lowerBound) to \(range.upperBound), not \(value)"
            )
        }
    }
}
