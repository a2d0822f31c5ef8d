// /status, and what the kernel says of the process.

import Engine
import Foundation
import Testing

@testable import Admin

struct StatusDocumentTests {
    private func decoded(_ reading: ProcessReading) throws -> StatusDocument {
        let json = try StatusDocument(reading).json()
        return try JSONDecoder().decode(StatusDocument.self, from: Data(json.utf8))
    }

    @Test func sumsAndWorkers() throws {
        let status = try decoded(.made())
        let echo = status.services[0]
        #expect(echo.connections == 7 && echo.connectionsMax == 200)
        #expect(echo.workers.map(\.backend) == ["uring", "epoll"])
        #expect(Set(echo.counters.keys) == Set(Counters.fields.map(\.name)))
        for (name, sum) in echo.counters {
            #expect(echo.workers.reduce(0) { $0 + $1.counters[name]! } == sum)
        }
        #expect(Set(echo.ends.keys) == Set(Termination.allCases.map(\.name)))
        #expect(status.services[1].counts == ["access_denied": 7, "connect_retries": 8])
        #expect(status.services[1].upstreams.map(\.up) == [true, false])
        #expect(status.connections == 10 && status.drainingConnections == 0)
        #expect(try decoded(.made(.draining)).drainingConnections == 10)
    }

    /// As it is read by others: numbers are numbers, keys are sorted, nothing is escaped.
    @Test func theTextIsForPeopleToo() throws {
        let json = try StatusDocument(.made()).json()
        #expect(json.contains("\"addresses\" : [\n"))
        #expect(json.contains("\"starved\" : 1016"))
        #expect(json.contains("\"state\" : \"serving\""))
        let keys = json.split(separator: "\n").filter { $0.hasPrefix("  \"") }
        #expect(keys == keys.sorted())
        #expect(json.hasSuffix("}\n"))
    }

    @Test func theKernelsFigures() throws {
        let figures = try #require(ProcessFigures.current())
        #expect(figures.residentBytes > 1 << 20 && figures.residentBytes < figures.virtualBytes)
        #expect(figures.processorSeconds > 0)
        #expect(figures.threads >= 1)
        #expect(figures.descriptorsMax >= UInt64(figures.openDescriptors))
        #expect(figures.startedAtSeconds < Date().timeIntervalSince1970)
        #expect(figures.startedAtSeconds > Date().timeIntervalSince1970 - 3600)
        let folder = "/proc/self/fd"
        // The folder itself is among them while it is read.
        let count = try FileManager.default.contentsOfDirectory(atPath: folder).count - 1
        #expect(abs(figures.openDescriptors - count) <= 2)
        let file = try FileHandle(forReadingFrom: URL(filePath: "/dev/null"))
        #expect(ProcessFigures.current()!.openDescriptors == figures.openDescriptors + 1)
        try file.close()
    }
}
