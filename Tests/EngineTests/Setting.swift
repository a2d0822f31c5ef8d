// Setting: a backend and a pool that a test of the engine runs with.

import Engine
import Support
import Testing

/// A server setting of the suite.
struct Setting: CustomTestStringConvertible, Sendable {
    let backend: Backend
    let pool: PoolSetting

    var testDescription: String { "\(backend.rawValue), \(pool.rawValue)" }

    static let all = Backend.allCases.flatMap { backend in
        PoolSetting.allCases
            .filter { backend == .uring || ![.tinyQueues, .registeredFiles].contains($0) }
            .map { Setting(backend: backend, pool: $0) }
    }

    /// Runs a case, and then asks whether every byte and every connection is accounted for.
    func serve(_ body: (EchoServer) throws -> Void) throws {
        let counters = try EchoServer(backend, pool: pool).serve(body)
        #expect(counters.accepted == counters.closed)
        #expect(counters.bytesReceived == counters.bytesSent + counters.bytesDropped)
        #expect(counters.staleCompletions == 0)
    }
}
