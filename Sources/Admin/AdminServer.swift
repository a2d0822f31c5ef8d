// AdminServer: what a program sees of the admin endpoint: it starts, it says where it is, it stops.
// All of it is one thread of its own, behind the workers in the line for a CPU. Whoever scrapes,
// however badly, costs the service nothing but what is left over.

public import Engine
import Net
import Synchronization

/// Serves /metrics, /status, /healthz, /readyz, and a page for people at /.
public final class AdminServer: Sendable {
    /// Descriptors that it holds at most: connections, the listening socket, epoll, the doorbell,
    /// the spare one, one to read /proc, and one to try whether a local socket is in use.
    public static let descriptorsMax = AdminLoop.connectionsMax + 6
    /// Enough for the scheduler to prefer a worker by nine to one, and not so much that a host
    /// whose CPUs are all busy gives no figures.
    private static let niceness: Int32 = 10

    private struct Running {
        let control: AdminControl
        let thread: Thread
        let boundAddress: AdminAddress
    }

    private let address: AdminAddress
    private let beforeServing: ThreadStart?
    private let source: @Sendable () async -> ProcessReading
    private let running = Mutex<Running?>(nil)

    /// A server that is not started.
    ///
    /// - Parameters:
    ///   - beforeServing: called on the server's thread; where it fails, nothing is served.
    ///   - source: is asked how the process is, at most every 100 ms and never twice at a time, on
    ///     the server's thread. It should not block; where it takes longer than 2 seconds, those
    ///     who ask get 503. It is cancelled by `stop`.
    public init(
        address: AdminAddress,
        beforeServing: ThreadStart? = nil,
        source: @escaping @Sendable () async -> ProcessReading
    ) {
        self.address = address
        self.beforeServing = beforeServing
        self.source = source
    }

    deinit { stop() }

    /// Listens, and returns when it does. A server that runs goes on.
    public func start() throws(AdminError) {
        try running.withLock { running throws(AdminError) in
            guard running == nil else { return }
            running = try begin()
        }
    }

    /// Closes all connections and the listening socket, and returns when that is done. Without
    /// effect where it does not run.
    public func stop() {
        running.withLock { running in
            running?.control.requestStop()
            running?.thread.join()
            running = nil
        }
    }

    /// Where it listens, such as `127.0.0.1:9090`, with the port that the kernel chose; nil where
    /// it does not run.
    public var boundAddress: String? { running.withLock { $0?.boundAddress.description } }

    private func begin() throws(AdminError) -> Running {
        let listener = try Listener(address)
        do throws(SystemError) {
            let control = try AdminControl()
            let loop = try AdminLoop(listener, control, source: source)
            let thread = try Thread(name: "admin") { [beforeServing] in
                Thread.stepBack(niceness: AdminServer.niceness)
                do throws(SystemError) { try beforeServing?() } catch { control.requestStop() }
                loop.run()
            }
            return Running(
                control: control,
                thread: thread,
                boundAddress: listener.boundAddress
            )
        } catch {
            listener.close()
            throw AdminError(address, error)
        }
    }
}
