// RequestOptions: what the workloads of requests and responses are told besides.

public import ArgumentParser
import Engine
public import Load
import Net
import Options

/// Options of `rr` and `crr`.
struct RequestOptions: ParsableArguments {
    @Option(help: "Request sizes: 64, 1-64k, log:1-64k, or with weights 64:9,16k:1.")
    var size = SizeDistribution.fixed(64)

    @Option(help: "Requests per second, sent when they are due whatever the server does.")
    var rate: Rate?

    @Option(help: "How requests of a --rate follow each other.")
    var spacing = Arrivals.Spacing.constant

    @Option(help: "Wait so long between a response and the next request.")
    var think = TimeSpan(nanoseconds: 0)

    /// Takes them into the plan of a part.
    func apply(to plan: inout LoadPlan, part: Part) throws {
        plan.size = size
        guard let rate else {
            plan.arrivals = .closed(thinkNanoseconds: think.nanoseconds)
            return
        }
        guard think.nanoseconds == 0 else {
            throw Failure(
                .usage,
                "--think and --rate exclude each other: a rate is kept whatever clients think"
            )
        }
        plan.arrivals = .open(perSecond: rate.perSecond / Double(part.count), spacing)
    }
}

extension Arrivals.Spacing: ExpressibleByArgument {}
