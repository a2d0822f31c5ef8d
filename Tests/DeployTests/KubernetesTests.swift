// The manifests: every field is one that Kubernetes knows, and the times in them fit together.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Tools.areThere, "scripts/deploy-tools.sh has not run"))
struct KubernetesTests {
    private static let manifests =
        try! Tools.files("kubernetes", ending: ".yaml")
        + Tools.files("kubernetes/load", ending: ".yaml")

    private func faults(_ paths: [String]) throws -> Ended {
        try Program.shell(
            "\(Tools.folder)/python \(Place.root)/scripts/check-manifests.py "
                + "\(Place.root)/Tests/DeployTests \(paths.joined(separator: " "))"
        )
    }

    @Test func everyFieldIsKnown() throws {
        let ended = try faults(Self.manifests.map { Tools.deploy + "/" + $0 })
        #expect(ended.status == 0 && ended.output == "" && ended.errors == "", "\(ended)")
    }

    /// One of each kind, deep down.
    @Test(arguments: [
        ("kubernetes/deployment.yaml", "localhostProfile:"),
        ("kubernetes/deployment.yaml", "failureThreshold:"),
        ("kubernetes/service.yaml", "targetPort:"),
        ("kubernetes/poddisruptionbudget.yaml", "matchLabels:"),
        ("kubernetes/servicemonitor.yaml", "scrapeTimeout:"),
        ("kubernetes/networkpolicy.yaml", "namespaceSelector:"),
        ("kubernetes/configmap.yaml", "data:"),
        ("kubernetes/namespace.yaml", "labels:"),
        ("kubernetes/load/job.yaml", "completionMode:"),
        ("kubernetes/load/merge.yaml", "readOnlyRootFilesystem:"),
    ])
    func aMisspeltFieldIsNoticed(_ path: String, _ field: String) throws {
        let text = try Tools.text(path)
        let misspelt = field.replacing(":", with: "x:")
        #expect(text.contains(field))
        let folder = try TemporaryFolder()
        let file = try folder.write(text.replacing(field, with: misspelt), to: "manifest.yaml")
        let ended = try faults([file])
        #expect(ended.status == 1 && ended.output.contains(misspelt.dropLast()), "\(ended)")
    }

    private func seconds(_ pattern: Regex<(Substring, Substring)>, in text: String) throws -> Int {
        try #require(text.firstMatch(of: pattern).flatMap { Int($0.output.1) })
    }

    /// What is ended before it has drained loses what had arrived.
    @Test func aPodHasTheTimeToDrain() throws {
        let pod = try Tools.text("kubernetes/deployment.yaml")
        let grace = try seconds(/terminationGracePeriodSeconds: (\d+)/, in: pod)
        let sleep = try seconds(/sleep: \{seconds: (\d+)\}/, in: pod)
        #expect(grace > sleep + Tools.drainSeconds)
        let readiness = try #require(pod.firstRange(of: "readinessProbe"))
        #expect(
            try sleep > seconds(/periodSeconds: (\d+)/, in: String(pod[readiness.lowerBound...]))
        )
    }

    @Test func readyIsMoreThanAlive() throws {
        let pod = try Tools.text("kubernetes/deployment.yaml")
        #expect(pod.contains("livenessProbe:\n            httpGet: {path: /healthz,"))
        #expect(pod.contains("readinessProbe:\n            httpGet: {path: /readyz,"))
    }

    /// Each part of the load writes a log, and the sum is of all of them.
    @Test func theSumIsOfEveryPart() throws {
        let job = try Tools.text("kubernetes/load/job.yaml")
        let count = try seconds(/completions: (\d+)/, in: job)
        #expect(try seconds(/parallelism: (\d+)/, in: job) == count)
        #expect(job.contains("--part=$(JOB_COMPLETION_INDEX)/\(count)\n"))
        #expect(job.contains("--hdr=/results/$(JOB_COMPLETION_INDEX).hlog"))
        let merge = try Tools.text("kubernetes/load/merge.yaml")
        let logs = merge.matches(of: /- \/results\/(\d+)\.hlog/).map { Int($0.output.1) }
        #expect(logs == (0..<count).map { $0 })
    }
}
