// Report: results as TAP version 14 (testanything.org) and as JUnit's XML. Texts only: the
// executable writes them.

/// The Test Anything Protocol.
public enum TAP {
    /// The first two lines.
    public static func header(_ count: Int) -> String { "TAP version 14\n1..\(count)" }

    /// The lines of a result; a failure has a YAML block.
    public static func lines(_ result: CaseResult, number: Int) -> String {
        var lines = result.comments.map { "# \(result.name): \($0)" }
        guard let finding = result.finding else {
            return (lines + ["ok \(number) - \(result.name)"]).joined(separator: "\n")
        }
        lines.append("not ok \(number) - \(result.name)")
        lines.append("  ---")
        lines.append("  checks: \(quoted(result.summary))")
        lines.append("  item: \(quoted(result.item))")
        lines.append("  fault: \(finding.fault.rawValue)")
        lines.append("  expected: \(quoted(finding.expected))")
        lines.append("  found: \(quoted(finding.found))")
        if let offset = finding.offset { lines.append("  offset: \(offset)") }
        lines.append("  duration_ms: \(result.nanoseconds / 1_000_000)")
        lines.append("  ...")
        return lines.joined(separator: "\n")
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }
        return "\"\(escaped.joined())\""
    }
}

/// JUnit's XML, as continuous integration servers read it.
public enum JUnit {
    /// The document.
    public static func document(_ results: [CaseResult], target: String) -> String {
        let failures = results.filter { $0.finding != nil }.count
        let total = results.reduce(0) { $0 + $1.nanoseconds }
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuite name=\"conform \(escaped(target))\" tests=\"\(results.count)\" "
                + "failures=\"\(failures)\" errors=\"0\" skipped=\"0\" time=\"\(seconds(total))\">",
        ]
        for result in results {
            lines.append(
                "  <testcase classname=\"conform.\(escaped(result.item))\" "
                    + "name=\"\(escaped(result.name))\" time=\"\(seconds(result.nanoseconds))\">"
            )
            if let finding = result.finding {
                let place = finding.offset.map { " at offset \($0)" } ?? ""
                lines.append(
                    "    <failure type=\"\(finding.fault.rawValue)\" "
                        + "message=\"\(escaped(finding.found + place))\">"
                        + "expected: \(escaped(finding.expected))</failure>"
                )
            }
            if !result.comments.isEmpty {
                let text = escaped(result.comments.joined(separator: "\n"))
                lines.append("    <system-out>\(text)</system-out>")
            }
            lines.append("  </testcase>")
        }
        return (lines + ["</testsuite>", ""]).joined(separator: "\n")
    }

    private static func seconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds / 1_000_000 % 1000)
        let zeros = String(repeating: "0", count: 3 - fraction.count)
        return "\(nanoseconds / 1_000_000_000).\(zeros)\(fraction)"
    }

    private static func escaped(_ text: String) -> String {
        let names: [Character: String] = ["&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;"]
        return text.map { names[$0] ?? "\($0)" }.joined()
    }
}
