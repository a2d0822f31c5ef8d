// Confinement: what a process gives up when it has what it needs, so that a fault in it reaches no
// further. It goes by threads: the kernel hands on what holds for a thread to those that it starts,
// and each of these may be held to more. So the main thread is the widest, and those that read what
// strangers send are the narrowest.

import CLinux
import Glibc
public import Net

/// Whether a measure is to be taken.
public enum MeasureChoice: String, CaseIterable, Sendable {
    /// Where the kernel has it.
    case auto
    /// Not at all.
    case off
    /// In any case: the process does not start without.
    case required
}

/// How it stands with a measure.
public enum Measure: Equatable, Sendable {
    case inForce
    case off
    /// The kernel, or whoever started the process, does not let it be taken: why not.
    case missing(String)

    /// Whether it is taken.
    public var isInForce: Bool { self == .inForce }
}

/// What the process as a whole may still do: its main thread, and all others with it.
public struct ProcessRights: Sendable {
    /// Where it may make, write and remove files.
    public var writableFolders: [String]
    /// Ports that it may connect to and bind, by TCP.
    public var connects: Ports
    public var binds: Ports

    public init(writableFolders: [String], connects: Ports, binds: Ports) {
        self.writableFolders = writableFolders
        self.connects = connects
        self.binds = binds
    }
}

/// The measures of a process.
public struct Confinement: Sendable {
    /// A filter of system calls for each thread (seccomp(2)).
    public let seccomp: Measure
    /// Rules for files and ports (landlock(7)).
    public let landlock: Measure
    /// The version of Landlock's interface; 0 where it is not used.
    private let landlockVersion: Int

    /// Finds out what the kernel has. Nothing is given up yet.
    public init(seccomp: MeasureChoice, landlock: MeasureChoice) {
        self.seccomp = seccomp == .off ? .off : Confinement.seccompFound
        let (found, version) = Confinement.landlockFound
        self.landlock = landlock == .off ? .off : found
        landlockVersion = self.landlock.isInForce ? version : 0
    }

    private static var seccompFound: Measure {
        switch clinux_probe_filters() {
        case 0: .inForce
        case -ENOSYS, -EINVAL, -EOPNOTSUPP: .missing("the kernel has no filters (Linux 4.14)")
        case let result: .missing("\(Errno(rawValue: -result))")
        }
    }

    private static var landlockFound: (Measure, version: Int) {
        switch clinux_landlock_version() {
        case let version where version > 0: (.inForce, Int(version))
        case -ENOSYS: (.missing("the kernel has none, or a filter hides it (Linux 5.13)"), 0)
        case -EOPNOTSUPP: (.missing("it is switched off (lsm= at the kernel's start)"), 0)
        case let result: (.missing("\(Errno(rawValue: -result))"), 0)
        }
    }

    /// What Landlock is about on this kernel, for people.
    public var landlockScope: String {
        landlockVersion >= LandlockRules.versionOfPorts
            ? "files, TCP ports" : "files; ports need Linux 6.7"
    }

    /// Holds the process to what it may still do, before it starts another thread. From now on no
    /// execve(2) brings it privileges (PR_SET_NO_NEW_PRIVS, prctl(2)).
    ///
    /// - Parameter inherited: what the predecessor said that this process is held to already: the
    ///   kernel would take the same once more, and ask both from then on.
    /// - Returns: the same for a successor.
    public func enterProcess(
        _ rights: ProcessRights,
        inherited: String? = nil
    ) throws(SystemError) -> String {
        try SystemError.check("prctl", clinux_no_new_privileges())
        var marks = Set((inherited ?? "").split(separator: ",").map(String.init))
        if landlock.isInForce {
            let mark = "landlock-\(rights.fingerprint)"
            if marks.insert(mark).inserted {
                let rules = LandlockRules(
                    files: .writes(in: rights.writableFolders),
                    connects: rights.connects,
                    binds: rights.binds
                )
                try rules.enter(version: landlockVersion)
            }
        }
        if seccomp.isInForce {
            let filter = AllowedCalls.process
            if marks.insert("seccomp-\(filter.fingerprint)").inserted { try filter.install() }
        }
        return marks.sorted().joined(separator: ",")
    }

    /// Holds the calling thread to what a worker needs that is set up: it serves who has connected,
    /// and may connect to some ports; it opens and executes nothing.
    public func enterWorker(connectsTo ports: [UInt16]) throws(SystemError) {
        try dropCapabilities()
        if landlock.isInForce {
            let rules = LandlockRules(files: .none, connects: .only(ports), binds: .only([]))
            try rules.enter(version: landlockVersion)
        }
        if seccomp.isInForce {
            try AllowedCalls.worker(connects: !ports.isEmpty).install()
        }
    }

    /// Holds the calling thread to what the admin endpoint needs: it answers who has connected, and
    /// reads what the kernel says of the process.
    public func enterAdmin() throws(SystemError) {
        try dropCapabilities()
        if landlock.isInForce {
            let rules = LandlockRules(files: .noExecution, connects: .only([]), binds: .only([]))
            try rules.enter(version: landlockVersion)
        }
        if seccomp.isInForce { try AllowedCalls.admin.install() }
    }

    /// A process that is not root's may have been given some all the same, for ports below 1024:
    /// they are the main thread's alone. Root's threads keep them.
    private func dropCapabilities() throws(SystemError) {
        var capabilities: UInt64 = 0
        guard geteuid() != 0, clinux_effective_capabilities(&capabilities) == 0, capabilities != 0
        else { return }
        try SystemError.check("capset", clinux_drop_capabilities())
    }
}

extension ProcessRights {
    /// Tells rights from others: FNV-1a of their text.
    fileprivate var fingerprint: String {
        let hash = "\(self)".utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 16)
    }
}
