// ProcessConfinement: what the process gives up at its start, and its threads at theirs; and what
// is said of it.

import Confinement
import Engine
import Glibc
import Logging
import Net
import Options
import Relay

/// What a process is about to do, as far as it matters to what it may do.
struct ProcessStart {
    let confinement: ConfinementOptions
    /// The options of its services.
    let servers: [ServerOptions]
    /// Ports of its upstreams.
    var upstreamPorts: [UInt16] = []
    /// The path of the admin endpoint's socket, where it has one.
    var adminPath: String?
    /// The file that is read again at SIGHUP, and may then say anything; nil where there is none.
    var configuration: String?

    /// What the process has to be able to do from now on. Where a file may come to say something
    /// else, its threads are held to ports, each to those of its service.
    var rights: ProcessRights {
        let logs = servers.compactMap(\.accessLog).filter { $0 != "-" }
        // The socket's file is made anew by each process.
        let socket = adminPath.map { [FilePlace.folder(of: $0)] } ?? []
        let folders = Set(logs.flatMap(FilePlace.folders(of:)) + socket).sorted()
        guard configuration == nil else {
            return ProcessRights(writableFolders: folders, connects: .any, binds: .any)
        }
        let bound = servers.flatMap(\.addresses).map(\.port)
        return ProcessRights(
            writableFolders: folders,
            // Names are asked for by TCP where the answer is too long for a datagram.
            connects: .only(upstreamPorts.isEmpty ? [] : upstreamPorts + [53]),
            // Of several workers, all but the first bind the port that the kernel chose.
            binds: bound.contains(0) ? .any : .only(bound)
        )
    }
}

/// Where a file is, or is to be made.
private enum FilePlace {
    /// The folder of a path, and that of what the path leads to. Where that is no file, such as the
    /// terminal, it is never made anew, and its folder may have all the host's devices in it.
    static func folders(of path: String) -> [String] {
        guard let real = realpath(path, nil) else { return [folder(of: path)] }
        defer { free(real) }
        let target = String(cString: real)
        var status = stat()
        guard stat(real, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [target] }
        return [folder(of: path), folder(of: target)]
    }

    static func folder(of path: String) -> String {
        guard let end = path.lastIndex(of: "/") else { return "." }
        return end == path.startIndex ? "/" : String(path[..<end])
    }
}

/// The measures of this process.
struct ProcessConfinement {
    /// What its successor is held to from its first instruction on.
    let marks: String
    private let confinement: Confinement
    private let rings: MeasureChoice
    private let user: String
    private let hasChanged: Bool
    private let warning: String?

    /// Gives up what the process does not need. It is called before there is another thread or any
    /// ring, and when everything is bound that the user could not bind.
    ///
    /// - Parameters:
    ///   - identity: who to become; nil for nobody else.
    ///   - inherited: what the predecessor says that this process is held to.
    init(_ start: ProcessStart, becoming identity: Identity?, inherited: String?) throws {
        let options = start.confinement
        rings = options.ringRestrictions
        confinement = Confinement(seccomp: options.seccomp, landlock: options.landlock)
        for (name, choice, measure) in [
            ("seccomp", options.seccomp, confinement.seccomp),
            ("landlock", options.landlock, confinement.landlock),
        ] {
            guard choice == .required, case .missing(let why) = measure else { continue }
            throw Failure(.couldNotRun, "--\(name) required: \(why)")
        }
        do throws(SystemError) {
            try identity?.assume()
            marks = try confinement.enterProcess(start.rights, inherited: inherited)
        } catch {
            throw Failure(.couldNotRun, "the process cannot be confined: \(error)")
        }
        user = options.user ?? "\(geteuid())"
        hasChanged = identity != nil
        if identity != nil, let file = start.configuration, access(file, R_OK) != 0 {
            warning = "user \(user) may not read '\(file)', so that no SIGHUP will reload it"
        } else {
            warning = nil
        }
    }

    // ---- threads ----

    /// A service whose workers give up what they do not need.
    func confined(_ plan: ServicePlan) throws -> ServicePlan {
        var plan = plan
        let canRestrict = plan.chosen.restrictsRings
        if rings == .required, plan.chosen.backend == .uring, !canRestrict {
            throw Failure(.couldNotRun, "--ring-restrictions required: \(Self.noRestrictions)")
        }
        plan.group.restrictsRings = rings != .off && canRestrict
        if plan.group.restrictsRings {
            plan.ringRemark = ", restricted rings"
        } else if plan.chosen.backend == .uring, rings == .auto {
            plan.ringRemark = ", rings not restricted: \(Self.noRestrictions)"
        }
        let measures = [("seccomp", confinement.seccomp), ("landlock", confinement.landlock)]
        plan.confinementRemark = measures.filter { $0.1.isInForce }.map { ", \($0.0)" }.joined()
        let ports = plan.upstreams?.upstreams.map(\.options.port) ?? []
        plan.group.beforeServing = { [confinement] () throws(SystemError) in
            try confinement.enterWorker(connectsTo: ports)
        }
        return plan
    }

    private static let noRestrictions = "the kernel cannot (Linux 5.10)"

    /// What the admin endpoint's thread does first.
    func beforeAdministering(_ logger: Logger) -> ThreadStart {
        { [confinement] () throws(SystemError) in
            do throws(SystemError) {
                try confinement.enterAdmin()
            } catch {
                logger.error("no admin endpoint: its thread cannot be confined: \(error)")
                throw error
            }
        }
    }

    // ---- words ----

    /// Says who the process is now, and why a measure is not in force. Where all is as usual, what
    /// is said of each service is enough.
    func announce(_ logger: Logger) {
        let isUsual = confinement.seccomp.isInForce && confinement.landlock.isInForce
        guard hasChanged || !isUsual else { return }
        let parts = reading.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        logger.info("confined: \(parts.joined(separator: ", "))")
        if let warning { logger.warning("\(warning)") }
    }

    /// Why something failed at a reload, where it may be for Landlock: its folders are those of the
    /// start.
    func explained(_ why: String) -> String {
        guard confinement.landlock.isInForce, why.hasPrefix("cannot write the access log"),
            why.hasSuffix("\(Errno.accessDenied)")
        else { return why }
        return why + "; a folder that no log was in at the start needs a restart (--landlock)"
    }

    /// What is in force, by the names of the measures.
    var reading: [String: String] {
        [
            "user": geteuid() == 0 ? "\(user) (--user gives that up)" : user,
            "no_new_privs": "on",
            "seccomp": Self.words(confinement.seccomp),
            "landlock": Self.words(confinement.landlock, confinement.landlockScope),
        ]
    }

    private static func words(_ measure: Measure, _ scope: String? = nil) -> String {
        switch measure {
        case .inForce: "on" + (scope.map { " (\($0))" } ?? "")
        case .off: "off"
        case .missing(let why): "missing (\(why))"
        }
    }
}
