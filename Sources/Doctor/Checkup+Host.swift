// The checks of processors and of the network.

import Net

extension Checkup {
    // ---- processors ----

    var processors: Finding {
        let found = "\(host.cpuCount) for \(purpose.workers) workers"
        guard purpose.workers > host.cpuCount else { return .fine("CPUs", found) }
        return .trouble(
            .costs,
            "CPUs",
            found,
            effect: "workers take turns, and those that wait delay all their connections",
            remedy: "--workers \(host.cpuCount), or a larger set of CPUs",
            chapter: 4
        )
    }

    var quota: Finding? {
        guard let limit = host.facts["cgroup_cpus"] else { return nil }
        guard let share = Double(limit), share < Double(purpose.workers) else {
            return .fine("CPU quota", limit)
        }
        return .trouble(
            .costs,
            "CPU quota",
            "\(limit) CPUs",
            effect: "workers that use it up stand still for the rest of each period, and busy "
                + "polling uses it up",
            remedy: "--workers \(max(1, Int(share))) and --busy-poll off, or whole CPUs",
            chapter: 12
        )
    }

    var virtual: Finding? {
        guard let answer = host.facts["hypervisor"] else { return nil }
        return .fine(
            "virtual machine",
            answer == "yes" ? "yes: waking a CPU is dear, so leave --busy-poll auto on" : "no"
        )
    }

    var frequency: Finding? {
        guard let governor = host.facts["governor"] else { return nil }
        guard governor.contains("powersave") || governor.contains("conservative") else {
            return .fine("CPU frequency", governor)
        }
        return .trouble(
            .costs,
            "CPU frequency",
            governor,
            effect: "CPUs are slow when work comes after a pause",
            remedy: "cpupower frequency-set -g performance",
            chapter: 4
        )
    }

    /// Any other clock than these is a system call.
    var clock: Finding? {
        guard let source = host.facts["clock_source"] else { return nil }
        let cheap = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"]
        guard !cheap.contains(source) else { return .fine("clock", source) }
        return .trouble(
            .costs,
            "clock",
            source,
            effect: "each look at the clock, one a turn, is a system call",
            remedy: "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
            chapter: 13
        )
    }

    // ---- the network ----

    var backlog: Finding? {
        guard let setting = host.facts["net.core.somaxconn"], let most = Int(setting) else {
            return nil
        }
        let wanted = Int(ListenOptions.usualBacklog)
        guard most < wanted else { return .fine("somaxconn", setting) }
        return .trouble(
            .costs,
            "somaxconn",
            setting,
            effect: "more handshakes than that at once are dropped, and come again a second later",
            remedy: "sysctl -w net.core.somaxconn=\(wanted)",
            chapter: 7
        )
    }

    var handshakes: Finding? {
        guard let setting = host.facts["net.ipv4.tcp_max_syn_backlog"], let most = Int(setting)
        else { return nil }
        guard most < 1024 else { return .fine("SYN backlog", setting) }
        return .trouble(
            .costs,
            "SYN backlog",
            setting,
            effect: "beyond it handshakes go on by cookies, without window scaling",
            remedy: "sysctl -w net.ipv4.tcp_max_syn_backlog=4096",
            chapter: 7
        )
    }

    /// Only whoever connects needs ports: a relay.
    var ports: Finding? {
        guard let setting = host.facts["net.ipv4.ip_local_port_range"] else { return nil }
        let bounds = setting.split(separator: " ").compactMap { Int($0) }
        guard bounds.count == 2 else { return nil }
        let count = max(0, bounds[1] - bounds[0] + 1)
        guard purpose.slotsPerClient > 1, count < purpose.connections else {
            return .fine("ports", "\(setting): \(count)")
        }
        return .trouble(
            .costs,
            "ports",
            "\(setting): \(count)",
            effect: "no more connections than that to one address of an upstream",
            remedy: "sysctl -w net.ipv4.ip_local_port_range='1024 65535', or several --to",
            chapter: 8
        )
    }

    var congestion: Finding? {
        host.facts["net.ipv4.tcp_congestion_control"].map { .fine("congestion control", $0) }
    }

    /// One for each network card.
    var cards: [Finding] {
        host.receiveQueues.sorted { $0.key < $1.key }.map { name, count in
            let found = count == 1 ? "1 receive queue" : "\(count) receive queues"
            guard count < purpose.workers else { return .fine("card \(name)", found) }
            return .trouble(
                .costs,
                "card \(name)",
                found,
                effect: "\(purpose.workers) workers get all their packets from \(count) CPU"
                    + (count == 1 ? "" : "s"),
                remedy: "ethtool -L \(name) combined \(purpose.workers), or RPS and RFS",
                chapter: 10
            )
        }
    }
}
