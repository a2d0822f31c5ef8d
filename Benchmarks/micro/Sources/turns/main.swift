// turns: one run of the engine on an ideal kernel, for callgrind to count.
//
// Usage: turns BACKEND WORKLOAD MESSAGES

import Engine
import IdealKernel

let arguments = CommandLine.arguments
guard arguments.count == 4,
    let backend = Backend.allCases.first(where: { "\($0)" == arguments[1] }),
    let workload = Workload(rawValue: arguments[2]),
    let messages = Int(arguments[3]), messages > 0
else {
    let workloads = Workload.allCases.map(\.rawValue).joined(separator: "|")
    fatalError("usage: turns uring|epoll \(workloads) MESSAGES")
}
let counters = try IdealWorker.run(backend, workload, messages: messages)
print("turns=\(counters.turns) receives=\(counters.receives) sends=\(counters.sends)")
