// Prescription: the findings as text, what is to be mended in full.

/// What is told of findings.
public enum Prescription {
    /// The worst of them.
    public static func verdict(_ findings: [Finding]) -> Finding.Verdict {
        if findings.contains(where: { $0.verdict == .broken }) { return .broken }
        return findings.contains { $0.verdict == .costs } ? .costs : .fine
    }

    /// A line for each, and under what is to be mended what it does and how to mend it.
    public static func text(_ findings: [Finding]) -> String {
        let width = findings.map(\.subject.count).max() ?? 0
        var lines: [String] = []
        for finding in findings {
            let mark = finding.verdict.rawValue.padded(to: 6)
            lines.append("\(mark)  \(finding.subject.padded(to: width))  \(finding.found)")
            let indent = String(repeating: " ", count: width + 10)
            if let effect = finding.effect { lines.append(indent + effect) }
            if let remedy = finding.remedy {
                lines.append(indent + "to mend it: \(remedy)")
            }
            if let link = finding.link { lines.append(indent + "more: \(link)") }
        }
        lines.append(summary(findings))
        return lines.joined(separator: "\n")
    }

    private static func summary(_ findings: [Finding]) -> String {
        func count(_ verdict: Finding.Verdict) -> Int { findings.count { $0.verdict == verdict } }
        switch (count(.broken), count(.costs)) {
        case (0, 0): return "All is fine."
        case (0, let costs): return "The service runs; \(costs) of \(findings.count) cost."
        case (let broken, let costs):
            return "As asked the service does not run: \(broken) to mend first, \(costs) cost."
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
