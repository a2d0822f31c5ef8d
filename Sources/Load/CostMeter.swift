// CostMeter: what the load generator and the server spend between two moments.

import Measure
import Net

/// The accounts of both processes at the beginning of a window.
struct CostMeter {
    private let client: Account
    private let server: Account?

    /// The account of a process.
    private struct Account {
        let process: Int32
        let before: ProcessUsage?
        let calls: SystemCallCounter?
    }

    /// Begins.
    ///
    /// - Parameters:
    ///   - server: the server's process, if it is to be accounted.
    ///   - countsSystemCalls: whether system calls are counted, which slows both processes.
    init(server: Int32?, countsSystemCalls: Bool) {
        func account(_ process: Int32) -> Account {
            Account(
                process: process,
                before: ProcessUsage.sample(process: process),
                calls: countsSystemCalls ? try? SystemCallCounter(process: process) : nil
            )
        }
        client = account(Host.processID)
        self.server = server.map(account)
    }

    /// What was spent since the beginning.
    func read() -> (client: Cost, server: Cost?) {
        (CostMeter.cost(client), server.map(CostMeter.cost))
    }

    private static func cost(_ account: Account) -> Cost {
        var cost = Cost()
        cost.systemCalls = account.calls?.count()
        guard let before = account.before,
            let after = ProcessUsage.sample(process: account.process)
        else { return cost }
        let spent = after.since(before)
        cost.cpuNanoseconds = spent.processorNanoseconds
        cost.runQueueNanoseconds = spent.runQueueNanoseconds
        cost.contextSwitches = spent.contextSwitches
        cost.cpus = Set(after.allowedCPUs)
        return cost
    }
}
