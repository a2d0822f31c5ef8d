// What a thousand messages take of the engine on an ideal kernel, for each backend and workload:
// the time that is ours alone. Its thresholds catch what takes twice as long, or twice the memory;
// finer than that is scripts/instruction-gate.sh, which is exact.

import Benchmark
import Engine
import IdealKernel

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .peakMemoryResident],
        warmupIterations: 3,
        scalingFactor: .kilo,
        maxDuration: .seconds(2),
        thresholds: [
            .wallClock: .init(relative: [.p90: 100]),
            .peakMemoryResident: .init(relative: [.p90: 100]),
        ]
    )
    for backend in Backend.allCases {
        for workload in Workload.allCases {
            Benchmark("\(backend)-\(workload.rawValue)") { benchmark in
                let counters = try IdealWorker.run(
                    backend,
                    workload,
                    messages: benchmark.scaledIterations.count
                )
                blackHole(counters)
            }
        }
    }
}
