// ringload rr: requests and their responses, on connections that last.

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
              ringload rr 127.0.0.1:8888 --rate 20k --spacing poisson --report run.html
              ringload rr localhost:8888 --size log:1-64k --verify --half-close
              ringload rr 127.0.0.1:8888 --server-pid $(pgrep -x ringback) --json -
              ringload rr 127.0.0.1:8888 --rate 10k --gate 'p99<2ms,errors=0'

            Without --rate the loop is closed: a connection sends its next request when a
            response has come. With --rate requests are due at moments of their own, and
            latencies count from there.

            \(MeasuredRun.exitStatuses)
            """
    )

    @OptionGroup var load: LoadOptions
    @OptionGroup var requests: RequestOptions

    @Option(help: "Requests under way on each connection.")
    var depth = 1

    @Flag(help: "Send FIN right behind the last request instead of after its response.")
    var halfClose = false

    @Option(help: "Read slowly: wait so long after each receive before reading on.")
    var readDelay = TimeSpan(nanoseconds: 0)

    @OptionGroup var report: ReportOptions

    func run() throws {
        var (plan, explanation) = try load.makePlan()
        try requests.apply(to: &plan, part: load.part)
        try check(depth, "--depth", 1...65536)
        plan.depth = depth
        plan.halfCloses = halfClose
        plan.readDelayNanoseconds = readDelay.nanoseconds
        try MeasuredRun(plan, load, report, explanation).run()
    }
}
