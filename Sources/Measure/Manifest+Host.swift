// Manifest+Host: the facts of a host that change what a run measures. Two results can be compared
// if these are the same, and a result can be made again where they are. A fact that the kernel does
// not tell is left out, so that its absence is never taken for a value.

import Glibc
import Net

extension Manifest {
    /// The manifest of this moment on this host.
    ///
    /// - Parameters:
    ///   - command: the command line, its words apart.
    ///   - version: the program's.
    public static func current(command: [String], version: String) -> Manifest {
        Manifest(
            command: command,
            version: version,
            startedAt: WallClock.text(WallClock.nanoseconds),
            host: HostFacts.read()
        )
    }

    /// One sentence for each thing that is not as it was in `other`, an earlier manifest; by name.
    /// When the runs began is left out, since that always differs.
    public func differences(from other: Manifest) -> [String] {
        var sentences: [String] = []
        if command != other.command {
            sentences.append(
                "command was `\(other.command.joined(separator: " "))`, "
                    + "and is `\(command.joined(separator: " "))`"
            )
        }
        if version != other.version {
            sentences.append("version was \(other.version), and is \(version)")
        }
        for name in Set(host.keys).union(other.host.keys).sorted() {
            switch (other.host[name], host[name]) {
            case (let then?, let now?) where then != now:
                sentences.append("\(name) was \(then), and is \(now)")
            case (let then?, nil):
                sentences.append("\(name) was \(then), and is not known")
            case (nil, let now?):
                sentences.append("\(name) was not known, and is \(now)")
            default:
                break
            }
        }
        return sentences
    }
}

/// The facts by name.
enum HostFacts {
    /// Settings whose files below /proc/sys have the same names, with `/` for the dots.
    private static let settings = [
        "kernel.io_uring_disabled", "net.core.busy_poll", "net.core.somaxconn",
        "net.ipv4.ip_local_port_range", "net.ipv4.tcp_congestion_control",
        "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_wmem",
    ]

    static func read() -> [String: String] {
        let cpu = SystemFile.text("/proc/cpuinfo").map(Fields.init) ?? Fields("")
        let memory = SystemFile.text("/proc/meminfo").map(Fields.init) ?? Fields("")
        let device = "/sys/devices/system"
        let limits = DescriptorLimit.current()
        var facts: [String: String?] = [
            "kernel": SystemFile.line("/proc/sys/kernel/osrelease"),
            "machine": machine,
            // Arm has no model name in this file.
            "cpu_model": cpu.text("model name"),
            "cpu_count": "\(sysconf(Int32(_SC_NPROCESSORS_ONLN)))",
            "cpus_allowed": CPUSet.allowed().map(String.init).joined(separator: ","),
            "hypervisor": cpu.text("flags").map { flags in
                flags.split(separator: " ").contains("hypervisor") ? "yes" : "no"
            },
            "mitigations": mitigations(folder: device + "/cpu/vulnerabilities"),
            "governor": governor(folder: device + "/cpu"),
            "clock_source": SystemFile.line(
                device + "/clocksource/clocksource0/current_clocksource"
            ),
            "memory_mib": memory.number("MemTotal").map { "\($0 / 1024)" },
            "cgroup_cpus": SystemFile.text("/proc/self/cgroup").flatMap { groups in
                ControlGroup.cpuLimit(groups, root: "/sys/fs/cgroup")
            },
            "descriptors": "\(limits.soft) of \(limits.hard)",
        ]
        for setting in settings {
            let path = "/proc/sys/" + setting.split(separator: ".").joined(separator: "/")
            // The numbers of a range stand apart by tabs.
            facts[setting] = SystemFile.line(path)?.split { $0 == "\t" }.joined(separator: " ")
        }
        return facts.compactMapValues { $0 }
    }

    /// Such as `x86_64` (uname(2)).
    private static var machine: String? {
        var name = utsname()
        guard uname(&name) == 0 else { return nil }
        return withUnsafeBytes(of: name.machine) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// What is mitigated and what is open, such as `retbleed: Mitigation: Safe RET`; what the CPU
    /// is not affected by is left out. nil where the kernel does not say.
    static func mitigations(folder: String) -> String? {
        guard let names = SystemFile.names(inFolder: folder) else { return nil }
        let affected = names.compactMap { name -> String? in
            guard let state = SystemFile.line(folder + "/" + name), state != "Not affected" else {
                return nil
            }
            return "\(name): \(state)"
        }
        return affected.isEmpty ? "none needed" : affected.joined(separator: " | ")
    }

    /// The governors that CPUs have, each once; nil where their frequency is not this kernel's.
    static func governor(folder: String) -> String? {
        let governors = (SystemFile.names(inFolder: folder) ?? []).compactMap {
            SystemFile.line("\(folder)/\($0)/cpufreq/scaling_governor")
        }
        return governors.isEmpty ? nil : Set(governors).sorted().joined(separator: ", ")
    }
}

/// Groups of processes that share a limit (cgroups(7)).
enum ControlGroup {
    /// How many CPUs' time this process's groups may use, such as `1.50`, or `unlimited`; nil where
    /// there are no groups with limits.
    ///
    /// - Parameters:
    ///   - groups: the lines of /proc/PID/cgroup.
    ///   - root: where groups are mounted.
    static func cpuLimit(_ groups: String, root: String) -> String? {
        var limits: [Double] = []
        var isKnown = false
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            guard fields[1].isEmpty || controllers.contains("cpu") else { continue }
            // A limit of any group above holds too.
            var path = fields[2]
            while true {
                let folder = fields[1].isEmpty ? "\(root)\(path)" : "\(root)/\(fields[1])\(path)"
                if let (quota, period) = fields[1].isEmpty ? second(folder) : first(folder) {
                    isKnown = true
                    if let quota, period > 0 { limits.append(quota / period) }
                }
                guard let slash = path.lastIndex(of: "/"), path.count > 1 else { break }
                path = slash == path.startIndex ? "/" : path[..<slash]
            }
        }
        guard isKnown else { return nil }
        return limits.min().map { Decimal.text($0, places: 2) } ?? "unlimited"
    }

    /// Version 2: `max 100000`, or the quota and the period in microseconds. The root has no such
    /// file.
    private static func second(_ folder: String) -> (quota: Double?, period: Double)? {
        let words = SystemFile.line(folder + "/cpu.max")?.split(separator: " ") ?? []
        guard words.count == 2, let period = Double(words[1]) else { return nil }
        return (Double(words[0]), period)
    }

    /// Version 1: two files, and a quota of -1 is none.
    private static func first(_ folder: String) -> (quota: Double?, period: Double)? {
        guard let quota = SystemFile.line(folder + "/cpu.cfs_quota_us").flatMap({ Double($0) }),
            let period = SystemFile.line(folder + "/cpu.cfs_period_us").flatMap({ Double($0) })
        else { return nil }
        return (quota < 0 ? nil : quota, period)
    }
}
