// ServicePlan: a service as its settings want it, before anything of it runs. Commands make it; a
// `RunningService` starts it.

import Admin
import Engine
import Logging
import Net
import Options
import Relay

/// What a service is to be.
struct ServicePlan {
    /// The name in logs and metrics: that of the command, or the one in the configuration file.
    let name: String
    let kind: ServiceKind
    /// What it was made from: the same arguments make the same service.
    let arguments: [String]
    let server: ServerOptions
    var group: GroupPlan
    var chosen: ChosenBackend
    /// What the announcement says of how rings are restricted, and threads confined.
    var ringRemark = ""
    var confinementRemark = ""
    /// What the announcement says behind the addresses, such as ` to 10.0.0.1:80`.
    var purpose = ""
    /// Fields of an access log line that are the service's own.
    var describe: (Remark) -> [AccessLog.Field] = { _ in [] }
    /// Whether its established connections go to a successor.
    var handsOver = false
    /// Counts of the service's own.
    var ownCounts: @Sendable () -> [NamedCount] = { [] }
    /// Where a relay connects to.
    var upstreams: UpstreamSet?
    /// Starts its workers, with the handler of whoever makes the plan.
    let startWorkers: (GroupPlan) throws(StartFailure) -> WorkerGroup
    /// Called once the workers run; what it returns is called when they have ended.
    /// Threads that it starts do first what workers do.
    var whileRunning: (WorkerGroup, ThreadStart?, Logger) throws -> () -> Void = { _, _, _ in {} }

    init(
        _ kind: ServiceKind,
        name: String,
        arguments: [String],
        _ server: ServerOptions,
        _ group: GroupPlan,
        _ chosen: ChosenBackend,
        startWorkers: @escaping (GroupPlan) throws(StartFailure) -> WorkerGroup
    ) {
        self.kind = kind
        self.name = name
        self.arguments = arguments
        self.server = server
        self.group = group
        self.chosen = chosen
        self.startWorkers = startWorkers
    }

    /// The end of every service's help.
    static let stopping = """
        SIGTERM and SIGINT drain: listeners close at once, and connections finish what they
        hold, within --drain-timeout. A second signal ends the service now. SIGUSR1 opens the
        access log anew, and has the counts so far written. SIGUSR2 starts the program anew with
        the sockets that listen; when it serves, this process ends with its last connection.
        Established connections of an echo go along.

        With --drain-rate 100 --drain-timeout 60s a drain lets a hundred clients go in a second,
        those that are silent for longest first, and serves the others until their turn comes.
        Who is left after nine tenths of the timeout, 54 s, gets FIN at once, and is cut at its
        end: so 5400 clients go at that pace, and the time is to be chosen for all there may be.
        A relay lets a client and its upstream go together.

        Exit status: 0 stopped and drained, 1 could not run, 2 bad arguments,
        130 and 143 when a second SIGINT or SIGTERM cut connections.
        """

    /// Whether a service of this plan is one of the other.
    func isSame(as other: ServicePlan) -> Bool {
        name == other.name && arguments == other.arguments
    }

    /// Descriptors that its connections and pipes may come to be.
    var descriptors: Int {
        let connections = group.registersFiles ? 0 : group.limits.connectionsMax
        // A pipe has two ends.
        return group.workerCount * (connections + 2 * group.limits.pipeCount)
    }

    /// What it says once it runs.
    func announcement(_ addresses: [SocketAddress]) -> String {
        let places = addresses.map(\.description).joined(separator: ", ")
        let workers = group.workerCount == 1 ? "1 worker" : "\(group.workerCount) workers"
        let onEpoll = group.backend == .epoll ? 0 : group.epollWorkerCount
        let first = addresses[0]
        return "\(name) on \(places)\(purpose) by \(chosen.explanation), \(workers)"
            + (onEpoll == 0 ? "" : ", \(onEpoll) of them on epoll")
            + (group.cpus.isEmpty ? "" : ", pinned")
            + (group.registersFiles ? ", registered files" : "")
            + (group.backend == .uring ? ringRemark : "") + confinementRemark
            + "; try: nc \(first.hostForPeople) \(first.port)"
    }
}

extension ServerOptions {
    /// What precedes the first thread: signals wait for the main thread.
    func prepareProcess() throws {
        HeldSignals.ofService.block()
        #if BUGBANK
            try bugBank.putBack()
        #endif
    }
}

extension SocketAddress {
    /// The address to type on this machine: a wildcard is reached through the loopback.
    fileprivate var hostForPeople: String {
        let host = description.split(separator: ":").dropLast().joined(separator: ":")
        switch host {
        case "0.0.0.0", "[::]", "[:]": return "localhost"
        default: return host.filter { $0 != "[" && $0 != "]" }
        }
    }
}
