// The configurations that come with the package, the image and the manifests: the service takes
// them.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Place.hasBinaries, "the release build is missing"))
struct ConfigurationTests {
    private func check(_ text: String) throws -> Ended {
        let folder = try TemporaryFolder()
        return try Program.run("ringback", "check", folder.write(text, to: "ringback.yaml"))
    }

    @Test(arguments: ["debian/ringback.yaml", "container/ringback.yaml"])
    func theFilesAreTaken(_ path: String) throws {
        let ended = try check(Tools.text(path))
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
    }

    /// What stands under the name of the file, by its indentation.
    @Test func theConfigMapIsTaken() throws {
        let map = try Tools.text("kubernetes/configmap.yaml")
        let start = try #require(map.firstRange(of: "  ringback.yaml: |\n")).upperBound
        let lines = map[start...].split(separator: "\n").map { $0.dropFirst(4) }
        let ended = try check(lines.joined(separator: "\n") + "\n")
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        #expect(try check("services: {echo: {type: ecko}}\n").status != 0)
    }
}
