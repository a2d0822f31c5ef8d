// ringload crr, stream and idle: the workloads beside requests on connections that last.

public import ArgumentParser
import Engine
public import Load
import Measure
import Net
import Options

/// A connection for each request.
struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crr",
        abstract: "Connect, send a request, wait for its echo, close: connections per second.",
        discussion: """
            Examples:
              ringload crr 127.0.0.1:8888 --connections 64
              ringload crr 127.0.0.1:8888 --rate 5k --source 127.0.0.0/8
              ringload crr 127.0.0.1:8888 --count 100000 --verify

            A latency is that of the whole exchange, from the connect on; how long the connect
            and the first byte took is reported apart. A connection ends with RST once its
            response has come, so that no port is left in TIME_WAIT; --time-wait ends it with
            FIN instead. Each source address has some 28,000 ports (ip_local_port_range).

            \(MeasuredRun.exitStatuses)
            """
    )

    @OptionGroup var load: LoadOptions
    @OptionGroup var requests: RequestOptions

    @Flag(help: "End connections with FIN, and let their ports wait out TIME_WAIT.")
    var timeWait = false

    @OptionGroup var report: ReportOptions

    func run() throws {
        var (plan, explanation) = try load.makePlan(connectionsLast: false)
        try requests.apply(to: &plan, part: load.part)
        guard requests.think.nanoseconds == 0 else {
            throw Failure(.usage, "--think has no meaning for crr: use --rate")
        }
        plan.workload = .connectRequestClose
        plan.keepsTimeWait = timeWait
        // Asking costs three system calls for each connection, which is much beside its others.
        plan.asksTCP = false
        try MeasuredRun(plan, load, report, explanation).run()
    }
}

/// Bytes without pause.
struct StreamCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream",
        abstract: "Send bytes without pause, one way or both: bytes per second.",
        discussion: """
            Examples:
              ringload stream 127.0.0.1:8888 --connections 8
              ringload stream 127.0.0.1:8888 --verify --block 256k
              ringload stream 127.0.0.1:9 --direction send

            A message is a block of bytes that came back; with --direction send one that was
            sent. There are no latencies.

            \(MeasuredRun.exitStatuses)
            """
    )

    @OptionGroup var load: LoadOptions

    @Option(help: "What is counted as a message.")
    var block = ByteSize(bytes: 64 * 1024)

    @Option(help: "Which way: both is for an echo, send for a sink, receive for a source.")
    var direction = StreamDirection.both

    @OptionGroup var report: ReportOptions

    func run() throws {
        var (plan, explanation) = try load.makePlan()
        try check(block.bytes, "--block", 1...SizeDistribution.bytesMax)
        plan.workload = .stream(direction)
        plan.size = .fixed(block.bytes)
        guard !load.verify || direction == .both else {
            throw Failure(.usage, "--verify needs an echo: with --direction both")
        }
        guard load.count == nil else {
            throw Failure(.usage, "--count has no meaning for a stream: use --duration")
        }
        try MeasuredRun(plan, load, report, explanation).run()
    }
}

extension StreamDirection: ExpressibleByArgument {}

/// Connections that are held.
struct IdleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "Hold many connections, and send a request on a few now and then.",
        discussion: """
            Examples:
              ringload idle 127.0.0.1:8888 --connections 10000 --duration 60s
              ringload idle 127.0.0.1:8888 --connections 50000 --workers 4 --source 127.0.0.0/8

            Connections beyond the limit on descriptors are kept in tables of the rings, at
            most as many in each as that limit: use more workers.

            \(MeasuredRun.exitStatuses)
            """
    )

    @OptionGroup var load: LoadOptions

    @Option(help: "How many of the connections send requests.")
    var active = 10

    @Option(help: "How long such a connection waits between a response and the next request.")
    var every = TimeSpan(nanoseconds: 100_000_000)

    @Option(help: "Request sizes: 64, 1-64k, log:1-64k, or with weights 64:9,16k:1.")
    var size = SizeDistribution.fixed(64)

    @OptionGroup var report: ReportOptions

    func run() throws {
        var (plan, explanation) = try load.makePlan()
        try check(active, "--active", 0...load.connections)
        guard every.nanoseconds > 0 else { throw Failure(.usage, "--every must be above 0") }
        plan.workload = .idle(active: load.part.share(of: active).count)
        plan.size = size
        plan.arrivals = .closed(thinkNanoseconds: every.nanoseconds)
        try MeasuredRun(plan, load, report, explanation).run()
    }
}
