// Checkup: what is fine on a host, what costs, and what keeps the service from running. Every check
// is a function of what was read and what is wanted; nothing is tried here.

import Confinement
import Engine
import Net
import URing

/// What the service is wanted for.
public struct Purpose: Sendable {
    /// Clients at once.
    public var connections: Int
    /// Connections that each of them comes to have: two for a relay.
    public var slotsPerClient: Int
    /// Descriptors besides those of connections: listeners, rings, pipes.
    public var otherDescriptors: Int
    /// Worker threads.
    public var workers: Int
    /// Whether nothing but io_uring will do.
    public var demandsUring: Bool

    public init(
        connections: Int,
        slotsPerClient: Int = 1,
        otherDescriptors: Int,
        workers: Int,
        demandsUring: Bool = false
    ) {
        self.connections = connections
        self.slotsPerClient = slotsPerClient
        self.otherDescriptors = otherDescriptors
        self.workers = workers
        self.demandsUring = demandsUring
    }
}

/// A look at a host.
public struct Checkup: Sendable {
    let host: HostReading
    let purpose: Purpose

    /// A look at a host with a purpose in mind.
    public init(_ host: HostReading, for purpose: Purpose) {
        self.host = host
        self.purpose = purpose
    }

    /// Everything that was looked at, in the order of Tuning.md. What the host does not tell is
    /// left out.
    public var findings: [Finding] {
        let checks: [Finding?] = [
            kernel, uring, lockedMemory, descriptors, registeredFiles, processors, quota, virtual,
            frequency, clock, backlog, handshakes, ports, congestion, confinement,
        ]
        return checks.compactMap { $0 } + cards
    }

    // ---- the backend ----

    private var kernel: Finding? {
        guard let release = host.facts["kernel"] else { return nil }
        guard let version = Checkup.version(release) else { return .fine("kernel", release) }
        if version < (6, 1) {
            return .trouble(
                .costs,
                "kernel",
                release,
                effect: version < (6, 0)
                    ? "io_uring needs 6.0 for receives until further notice; epoll serves instead"
                    : "completions interrupt the worker one by one (DEFER_TASKRUN came with 6.1)",
                remedy: "use Linux 6.1 or newer",
                chapter: 2
            )
        }
        return .fine("kernel", release)
    }

    /// Such as (6, 18) of `6.18.44-fc`.
    static func version(_ release: String) -> (Int, Int)? {
        let parts = release.split(separator: ".").prefix(2).map { part in
            Int(part.prefix { $0.isNumber })
        }
        guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
        return (major, minor)
    }

    private var uring: Finding {
        guard let reason = host.unavailable else { return .fine("io_uring", host.features) }
        return .trouble(
            purpose.demandsUring ? .broken : .costs,
            "io_uring",
            "cannot be used: \(reason.cause)",
            effect: purpose.demandsUring
                ? "--backend uring refuses to start" : "--backend auto takes epoll",
            remedy: reason.remedy,
            chapter: 2
        )
    }

    private var lockedMemory: Finding? {
        guard let most = host.lockedBytesMax else { return .fine("locked memory", "no limit") }
        let needed = lockedBytesNeeded
        let found = "\(most / 1024) KiB"
        guard most < needed else { return .fine("locked memory", found) }
        return .trouble(
            .costs,
            "locked memory",
            found,
            effect: "\(purpose.workers) rings want \(needed / 1024) KiB: they will be smaller, or "
                + "epoll serves",
            remedy: "ulimit -l \(needed / 1024), or LimitMEMLOCK=\(needed / 1024)K",
            chapter: 3
        )
    }

    /// Rings are 64 bytes a submission and 16 a completion.
    var lockedBytesNeeded: Int {
        let limits = Limits(connectionsMax: connectionsPerWorker)
        let ring = limits.submissionEntries * 64 + limits.completionEntries * 16
        return ring * purpose.workers
    }

    private var connectionsPerWorker: Int {
        (purpose.connections - 1) / purpose.workers + 1
    }

    // ---- what can be given up ----

    /// Where a measure is missing the service runs as well and as fast.
    private var confinement: Finding? {
        guard !host.measures.isEmpty else { return nil }
        let measures = host.measures.sorted { $0.key < $1.key }
        let missing = measures.compactMap { name, measure in
            if case .missing(let why) = measure { "no \(name): \(why)" } else { nil }
        }
        let taken = measures.filter(\.value.isInForce).map(\.key)
        return .fine("confinement", (taken + missing).joined(separator: ", "))
    }

    // ---- limits ----

    var descriptorsNeeded: Int {
        purpose.connections * purpose.slotsPerClient + purpose.otherDescriptors
    }

    private var descriptors: Finding {
        let needed = descriptorsNeeded
        let found = "\(host.descriptorsMax)"
        guard host.descriptorsMax < needed else { return .fine("descriptors", found) }
        return .trouble(
            .broken,
            "descriptors",
            found,
            effect: "\(purpose.connections) connections need \(needed): the service refuses to "
                + "start with --max-connections \(purpose.connections)",
            remedy: host.registersFiles
                ? "ulimit -Hn \(needed) as root, LimitNOFILE=\(needed), or --registered-files"
                : "ulimit -Hn \(needed) as root, or LimitNOFILE=\(needed)",
            chapter: 3
        )
    }

    private var registeredFiles: Finding? {
        guard host.unavailable == nil, !host.registersFiles else { return nil }
        return .trouble(
            .costs,
            "registered files",
            "the kernel does not make descriptors of them (Linux 6.8)",
            effect: "--registered-files cannot be had: connections are bounded by descriptors",
            remedy: "use Linux 6.8 or newer, if that many connections are wanted",
            chapter: 3
        )
    }
}

/// Whether one version comes before another.
private func < (one: (Int, Int), other: (Int, Int)) -> Bool {
    one.0 != other.0 ? one.0 < other.0 : one.1 < other.1
}
