// The container's file: that it keeps the rules of its kind, as hadolint knows them, and those that
// hadolint does not know.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Tools.areThere, "scripts/deploy-tools.sh has not run"))
struct ContainerTests {
    private let file = try! Tools.text("container/Containerfile")

    private func complaints(_ text: String) throws -> String {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "Containerfile")
        let ended = try Program.shell("\(Tools.folder)/hadolint --no-color \(path)")
        return ended.output + ended.errors
    }

    @Test func itKeepsTheRules() throws {
        #expect(try complaints(file) == "")
    }

    @Test(arguments: [
        ("swift:6.3.1-bookworm", "swift:latest", "DL3007"),
        (#"ENTRYPOINT ["/usr/bin/ringback"]"#, "ENTRYPOINT /usr/bin/ringback", "DL3025"),
        ("USER 65532:65532", "USER root", "DL3002"),
    ])
    func whatBreaksTheRulesIsNoticed(_ right: String, _ wrong: String, _ rule: String) throws {
        #expect(file.contains(right))
        #expect(try complaints(file.replacing(right, with: wrong)).contains(rule))
    }

    /// A name would have to be looked up in the image, which Kubernetes does not do.
    @Test func theUserIsANumber() throws {
        let user = try #require(file.firstMatch(of: /\nUSER (\d+):(\d+)\n/))
        #expect(user.output.1 != "0" && user.output.2 != "0")
        let pod = try Tools.text("kubernetes/deployment.yaml")
        #expect(pod.contains("runAsUser: \(user.output.1)\n"))
    }

    @Test func itStopsByADrain() {
        #expect(file.contains("\nSTOPSIGNAL SIGTERM\n"))
    }
}
