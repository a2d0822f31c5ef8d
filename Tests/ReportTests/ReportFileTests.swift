// Reports on disk and back, and what is said where that cannot be.

import Foundation
import Report
import Support
import Testing

struct ReportFileTests {
    /// What is said of a file with such a text.
    private func failure(of text: String) throws -> String {
        let file = TemporaryFile()
        try ReportFile.write(text, to: file.path)
        do {
            _ = try ReportFile.read(RunReport.self, from: file.path)
            return "no failure"
        } catch {
            return error.description.replacingOccurrences(of: file.path, with: "FILE")
        }
    }

    private func altered(_ change: (inout [String: Any]) -> Void) throws -> String {
        let json = try ReportFile.json(Sample.open())
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8))
        var report = try #require(object as? [String: Any])
        change(&report)
        return String(decoding: try JSONSerialization.data(withJSONObject: report), as: UTF8.self)
    }

    @Test func whatWasWrittenIsRead() throws {
        let file = TemporaryFile()
        for run in [Sample.closed(), Sample.open(), Sample.invalid()] {
            try ReportFile.writeJSON(run, to: file.path)
            #expect(try ReportFile.read(RunReport.self, from: file.path) == run)
        }
    }

    @Test func jsonIsIndentedSortedAndHasUnitsInItsKeys() throws {
        let json = try ReportFile.json(Sample.open())
        #expect(json.hasPrefix("{\n  \"audit\" : {"))
        #expect(json.hasSuffix("}\n"))
        #expect(json.contains("\"window_ns\" : 10000000000"))
        // Command lines have paths and addresses: no \/ in them.
        #expect(json.contains("http://127.0.0.1:9100/metrics"))
    }

    @Test func numbersThatJSONDoesNotHaveAreNotLost() throws {
        let file = TemporaryFile()
        var run = Sample.closed()
        run.audit.bunching = .infinity
        try ReportFile.writeJSON(run, to: file.path)
        #expect(try ReportFile.read(RunReport.self, from: file.path) == run)
    }

    @Test func aFileThatCannotBeReadIsNamedWithItsCause() {
        #expect {
            try ReportFile.read(RunReport.self, from: "/nonexistent/run.json")
        } throws: {
            "\($0)" == "cannot read '/nonexistent/run.json': No such file or directory"
        }
        #expect {
            try ReportFile.read(RunReport.self, from: "/tmp")
        } throws: {
            "\($0)" == "cannot read '/tmp': Is a directory"
        }
    }

    @Test func aFileThatCannotBeWrittenIsNamedWithItsCause() {
        #expect {
            try ReportFile.writeJSON(Sample.closed(), to: "/nonexistent/run.json")
        } throws: {
            "\($0)" == "cannot write '/nonexistent/run.json': No such file or directory"
        }
        #expect {
            try ReportFile.writeJSON(Sample.closed(), to: "/dev/full")
        } throws: {
            "\($0)" == "cannot write '/dev/full': No space left on device"
        }
    }

    @Test func aFileThatIsNoReportIsNamedWithThePlace() throws {
        let start = "cannot read 'FILE': it is not the report of a run: "
        #expect(try failure(of: "").hasPrefix(start + "it is not JSON"))
        #expect(try failure(of: "{\"format\": 1,").hasPrefix(start + "it is not JSON"))
        #expect(try failure(of: "{}") == start + "'format' is missing")
        let short = try altered { $0["latency_ns"] = ["count": 1] }
        #expect(try failure(of: short) == start + "'latency_ns.mean' is missing")
        let wrong = try altered { $0["intervals"] = [["start_ns": "soon"]] }
        #expect(
            try failure(of: wrong) == start + "'intervals[0].start_ns' is of the wrong type"
        )
        let later = try altered { $0["format"] = 2 }
        #expect(
            try failure(of: later)
                == "cannot read 'FILE': it has format 2, and this version reads 1"
        )
    }

    @Test func intervalsAreCommaSeparated() throws {
        let lines = CSVReport.text(Sample.open()).components(separatedBy: "\r\n")
        #expect(
            lines[0] == "start_ns,duration_ns,messages,messages_per_second,"
                + "bytes_received_per_second,p50_ns,p99_ns,max_ns,errors"
        )
        #expect(lines.count == 12)
        #expect(lines[7] == "6000000000,1000000000,49980,40983.6,3198720,45800,31000000,42000000,2")
        #expect(lines.last == "")
        #expect(Set(lines.dropLast().map { $0.split(separator: ",").count }) == [9])
    }

    @Test func intervalsHaveTheKeysOfTheJSONAsColumns() throws {
        let json = try ReportFile.json(Sample.open().intervals[0])
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect(Set(try #require(object).keys) == Set(CSVReport.header))
    }
}
