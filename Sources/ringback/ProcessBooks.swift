// ProcessBooks: the books of all services of the process, for the admin endpoint. The main thread
// keeps them, and the endpoint's thread reads them.

import Admin
import Measure
import Synchronization

/// The books of the process.
final class ProcessBooks: Sendable {
    private struct State {
        var phase = ProcessState.starting
        var services: [ServiceBooks] = []
        var confinement: [String: String] = [:]
    }

    private let state = Mutex(State())
    private let startedAtSeconds = Double(WallClock.nanoseconds) / 1e9

    /// What the process is about, and the services that it has.
    func set(_ phase: ProcessState, _ services: [ServiceBooks]) {
        state.withLock {
            $0.phase = phase
            $0.services = services
        }
    }

    /// What the process has given up.
    func set(confinement: [String: String]) { state.withLock { $0.confinement = confinement } }

    /// How the process is.
    var reading: ProcessReading {
        let state = state.withLock { $0 }
        return ProcessReading(
            version: Ringback.version,
            startedAtSeconds: startedAtSeconds,
            state: state.phase,
            services: state.services.map(\.reading),
            confinement: state.confinement
        )
    }
}
