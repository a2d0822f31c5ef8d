// LandlockRules: which files a thread may come to, and which ports it may bind and connect to
// (landlock(7)). Unlike a filter of calls it holds for rings as well: the kernel asks whoever
// submits. What is open stays open.

import CLinux
import Glibc
import Net

/// What a thread is held to.
struct LandlockRules {
    /// What may be done with files.
    enum Files {
        /// Anything; nothing may be executed.
        case noExecution
        /// They may be read and executed; made, written and removed in these folders alone.
        case writes(in: [String])
        /// Nothing.
        case none
    }

    var files: Files
    /// Ports to connect to and to bind, by TCP.
    var connects: Ports
    var binds: Ports

    /// Versions of the interface: ports came with Linux 6.7.
    static let versionOfPorts = 4

    // LANDLOCK_ACCESS_FS_... and LANDLOCK_ACCESS_NET_... of linux/landlock.h.
    private static let execute: UInt64 = 1 << 0
    private static let writeFile: UInt64 = 1 << 1
    /// REMOVE_DIR, REMOVE_FILE, and the seven MAKE_...
    private static let changes: UInt64 = 0b1_1111_1111 << 4
    private static let removeFile: UInt64 = 1 << 5
    private static let makeFile: UInt64 = 1 << 8
    private static let makeSocket: UInt64 = 1 << 9
    private static let refer: UInt64 = 1 << 13
    private static let truncate: UInt64 = 1 << 14
    private static let bind: UInt64 = 1 << 0
    private static let connect: UInt64 = 1 << 1

    /// All rights to files that a version knows.
    private static func allFileRights(_ version: Int) -> UInt64 {
        let count =
            switch version {
            case ..<2: 13
            case 2: 14
            case 3, 4: 15
            default: 16
            }
        return (1 << count) - 1
    }

    private func handledFileRights(_ version: Int) -> UInt64 {
        let all = LandlockRules.allFileRights(version)
        return switch files {
        case .noExecution: LandlockRules.execute
        case .writes:
            all
                & (LandlockRules.writeFile | LandlockRules.changes | LandlockRules.refer
                    | LandlockRules.truncate)
        case .none: all
        }
    }

    private func handledPortRights(_ version: Int) -> UInt64 {
        guard version >= LandlockRules.versionOfPorts else { return 0 }
        return (connects == .any ? 0 : LandlockRules.connect)
            | (binds == .any ? 0 : LandlockRules.bind)
    }

    /// Holds the calling thread to the rules, and those that it starts from now on.
    ///
    /// - Parameter version: of the kernel's interface, at least 1.
    func enter(version: Int) throws(SystemError) {
        let files = handledFileRights(version)
        let rules = Descriptor(
            rawValue: try SystemError.check(
                "landlock_create_ruleset",
                clinux_landlock_create(files, handledPortRights(version))
            )
        )
        defer { rules.close() }
        if case .writes(let folders) = self.files {
            try LandlockRules.allow(rules, "/dev/null", LandlockRules.writeFile & files)
            let rights =
                LandlockRules.writeFile | LandlockRules.truncate | LandlockRules.makeFile
                | LandlockRules.makeSocket | LandlockRules.removeFile
            for folder in folders { try LandlockRules.allow(rules, folder, rights & files) }
        }
        if version >= LandlockRules.versionOfPorts {
            try LandlockRules.allow(rules, connects, LandlockRules.connect)
            try LandlockRules.allow(rules, binds, LandlockRules.bind)
        }
        try SystemError.check("landlock_restrict_self", clinux_landlock_restrict(rules.rawValue))
    }

    /// Where there is nothing, there is nothing to allow.
    private static func allow(
        _ rules: Descriptor,
        _ path: String,
        _ rights: UInt64
    ) throws(SystemError) {
        let result = clinux_landlock_allow_path(rules.rawValue, path, rights)
        guard ![-ENOENT, -ENOTDIR, -EACCES].contains(result) else { return }
        try SystemError.check("landlock_add_rule", result)
    }

    private static func allow(
        _ rules: Descriptor,
        _ ports: Ports,
        _ right: UInt64
    ) throws(SystemError) {
        guard case .only(let ports) = ports else { return }
        for port in ports {
            try SystemError.check(
                "landlock_add_rule",
                clinux_landlock_allow_port(rules.rawValue, port, right)
            )
        }
    }
}

/// Ports of TCP.
public enum Ports: Equatable, Sendable {
    case any
    /// These; of port 0 the kernel chooses any.
    case only([UInt16])
}
