// Tools: what judges the files of deploy/, and the files.

import Foundation
import Support

/// The programs of `scripts/deploy-tools.sh`, and the folder that they judge.
enum Tools {
    static let folder = Place.root + "/.build-support/deploy-tools/bin"
    static let deploy = Place.root + "/deploy"

    /// What `--drain-timeout` is where nothing else is said.
    static let drainSeconds = 30

    static var areThere: Bool { FileManager.default.isExecutableFile(atPath: folder + "/promtool") }

    /// The text of a file of deploy/.
    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: deploy + "/" + path, encoding: .utf8)
    }

    /// The files of a folder of deploy/ that end so, sorted.
    static func files(_ path: String, ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: deploy + "/" + path)
            .filter { $0.hasSuffix(ending) }.sorted().map { path + "/" + $0 }
    }
}

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path = NSTemporaryDirectory() + "ringback-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file, with the folders that it lies in, and says where it is.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let file = URL(filePath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
        return file.path
    }
}
