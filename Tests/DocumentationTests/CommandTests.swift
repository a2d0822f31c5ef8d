// The commands of the documentation, run as a reader would: block by block, in a folder of the
// page's own, in a network namespace of the block's own, so that ports and settings are free. What
// is not run says here why.

import Foundation
import Support
import Testing

/// What is done with a command.
private enum Manner {
    /// It is run, and ends with one of these.
    case runs([Int32])
    /// It is started, serves, and is asked to stop: at the end of the block where it ends in `&`.
    case serves
    /// `ringback config` judges its options and their values; why it is not started.
    case judged(String)
    /// It is a target of the Makefile; what they do takes minutes, and CI does it.
    case made
    /// Nothing; why.
    case notHere(String)
}

/// Commands that begin alike.
private struct Rule {
    let beginning: String
    let manner: Manner
    /// What is replaced, so that a command ends soon and touches nothing but its own folder.
    var edits: [(String, String)] = []
    /// What is put behind it.
    var more = ""

    init(
        _ beginning: String,
        _ manner: Manner,
        _ edits: [(String, String)] = [],
        more: String = ""
    ) {
        self.beginning = beginning
        self.manner = manner
        self.edits = edits
        self.more = more
    }

    func edited(_ command: String) -> String {
        edits.reduce(command) { $0.replacing($1.0, with: $1.1) } + more
    }

    /// The first that fits is a command's.
    static let all = [
        Rule("ringback check", .runs([0])),
        Rule("ringback config", .runs([0])),
        Rule("RINGBACK_TO=", .runs([0])),
        // What a host is short of is no fault of the page.
        Rule(
            "ringback doctor",
            .runs([0, 1, 3]),
            elsewhere
        ),
        Rule("mkdir -p", .runs([0]), elsewhere),
        Rule("ringback relay --to a:9000", .judged("nobody is called a, b or c")),
        Rule("ringback relay", .serves),
        // As the package has it where it is installed.
        Rule(
            "ringback serve --config /etc/ringback/ringback.yaml",
            .serves,
            [
                ("/etc/ringback/ringback.yaml", Place.root + "/deploy/debian/ringback.yaml"),
                ("--user ringback", "--user nobody"),
            ]
        ),
        Rule("ringback serve", .serves),
        Rule("ringback echo", .serves),
        Rule("taskset -c 2-5", .judged("it is for a machine with six CPUs")),
        Rule("numactl", .judged("it is for a machine with several nodes, and a package")),
        Rule("docker run", .judged("there is no engine, and no image; ConfinedTests uses runc")),

        Rule("ringload conform", .runs([0]), [("localhost:7", "localhost:8888")]),
        Rule("ringload merge", .runs([0])),
        Rule(
            "ringload compare",
            .runs([0]),
            more: " --pairs 2 --duration 200ms --warmup 100ms"
        ),
        // Whether a rate keeps the limit, and whether the load generator could, is the machine's.
        Rule(
            "ringload search",
            .runs([0, 3, 4]),
            more: " --precision 50% --duration 300ms --warmup 100ms"
        ),
        Rule("ringload rr", .runs([0]), quick, more: " --duration 300ms --warmup 0 --ignore-audit"),
        Rule("ringload", .runs([0]), quick, more: " --duration 300ms --warmup 0 --ignore-audit"),
        // Somebody types a line, and reads it back.
        Rule("nc", .runs([0]), [("nc", "echo hello | nc -N")], more: " | grep hello"),

        Rule("sysctl -w net.ipv4.tcp_congestion_control", .notHere("it is the whole host's")),
        Rule("sysctl", .runs([0])),
        Rule("ip address add", .runs([0])),
        Rule("ip route change", .notHere("a namespace has no default route")),
        Rule("ss", .runs([0])),
        Rule("nstat", .runs([0])),
        Rule("ethtool", .notHere("there is no card that it could set")),
        Rule("grep eth0", .notHere("there is no card")),
        Rule("cat /sys/class/net/eth0", .notHere("there is no card")),
        Rule("echo 2 > /proc/irq", .notHere("it moves an interrupt of the host")),

        Rule("make", .made),
        Rule("ROUNDS=", .notHere("it takes minutes; `make bench` is the same")),
        Rule("apt install", .notHere("PackageTests installs the package, under an overlay")),
        Rule("systemctl", .notHere("systemd is not the first process; SystemdTests judge units")),
        Rule("podman", .notHere("there is no engine; ConfinedTests use runc")),
        Rule("kubectl", .notHere("there is no cluster; KubernetesTests judge the manifests")),
        Rule("sed", .notHere("there is no cluster; LoadJobTests run the job in namespaces")),
        Rule("ipvsadm", .notHere("the kernel has no IPVS")),
    ]

    /// What is written lies below the page's folder.
    private static let elsewhere = [("/etc/", "etc/"), ("/var/", "var/")]

    /// For the workloads of `ringload`: what else is too much for a test.
    private static let quick: [(String, String)] = [
        (" --duration 10s", ""), ("--connections 50000", "--connections 500"),
        // Latencies are the machine's.
        ("p99<2ms", "p99<2s"),
    ]
}

/// Blocks that are no commands, by what they begin with: diagrams, files, what a program says.
private let otherBlocks = [
    "kernel   ", "LoadPlan ->", "ArgumentParser's dump", "takeForKernel", "admin: 127",
    "ringback.yaml:4:19:", "identity ->", "old process  ", "{\"name\": \"new\"", "CPUs     = ",
]

private func commandBlocks(_ page: Page) -> [Page.Block] {
    page.blocks.filter { block in
        if let language = block.language { return ["sh", ""].contains(language) }
        let beginning = block.lines[0].drop { $0 == " " }
        return !otherBlocks.contains { beginning.hasPrefix($0) }
    }
}

private func rule(for command: String) -> Rule? {
    Rule.all.first { rule in
        let rest = command.dropFirst(rule.beginning.count)
        return command.hasPrefix(rule.beginning) && rest.first?.isLetter != true
    }
}

@Suite(.serialized, .timeLimit(.minutes(5)))
struct CommandTests {
    /// No command is new, and no rule is for a command that nobody gives.
    @Test func everyCommandHasAManner() throws {
        let commands = try Page.guides.flatMap { try commandBlocks(Page($0)).flatMap(\.commands) }
        #expect(commands.count > 50)
        #expect(commands.filter { rule(for: $0) == nil } == [])
        let used = Set(commands.compactMap { rule(for: $0)?.beginning })
        #expect(Rule.all.map(\.beginning).filter { !used.contains($0) } == [])
        let text = try Page.guides.flatMap { try Page($0).blocks.map { $0.lines[0] } }
        #expect(otherBlocks.filter { other in !text.contains { $0.contains(other) } } == [])
    }

    /// What stands in a fence is something that is run, checked or compiled somewhere.
    @Test func everyFenceHasAKnownLanguage() throws {
        let languages = try Page.guides.flatMap { try Page($0).blocks.compactMap(\.language) }
        #expect(Set(languages).isSubset(of: ["sh", "yaml", "swift"]))
    }

    @Test(
        .enabled(if: Place.hasBinaries && getuid() == 0, "build first, and be root"),
        arguments: Page.guides
    )
    func thePageCanBeFollowed(_ path: String) throws {
        let page = try Page(path)
        let desk = try Desk(page)
        for block in commandBlocks(page) {
            for ended in try desk.follow(block) {
                #expect(
                    ended.isAsItShould,
                    "\(path):\(block.line): \(ended)"
                )
            }
        }
    }
}

/// A command that was followed.
private struct Followed: CustomStringConvertible {
    let command: String
    let status: String
    let said: String
    let isAsItShould: Bool
    var description: String { "\(command)\nended with \(status)\n\(said)" }
}

/// Where a page is followed: a folder with what the page speaks of.
private final class Desk {
    private let folder = NSTemporaryDirectory() + "ringback-" + UUID().uuidString
    private var count = 0

    init(_ page: Page) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["docs", "deploy", "Benchmarks"] {
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/" + name,
                withDestinationPath: Place.root + "/" + name
            )
        }
        // The configuration that the page shows, by the name that its commands have for it.
        let shown = page.blocks.first { block in
            block.language != "swift" && block.lines.contains("services:")
        }
        try shown?.lines.joined(separator: "\n").write(
            toFile: folder + "/ringback.yaml",
            atomically: true,
            encoding: .utf8
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs the commands of a block, one behind the other.
    func follow(_ block: Page.Block) throws -> [Followed] {
        var script = Desk.beginning
        let needsServer =
            block.commands.contains { $0.contains("ringload") || $0.hasPrefix("nc ") }
            && !block.commands.contains { $0.contains("--listen 127.0.0.1:8888") }
        if needsServer {
            for port in [8888, 8889] {
                script += "start servers ringback echo --listen 127.0.0.1:\(port) --workers 1\n"
            }
        }
        var wanted: [(number: Int, command: String, statuses: [Int32])] = []
        for command in block.commands {
            guard let rule = rule(for: command) else { continue }
            count += 1
            let line = rule.edited(command)
            switch rule.manner {
            case .runs(let statuses):
                script += "{ \(line)\n} > \(count).said 2>&1; echo $? > \(count).status\n"
                wanted.append((count, command, statuses))
            case .serves:
                let stays = line.hasSuffix("&")
                let bare = stays ? String(line.dropLast()) : line
                script += "start \(count) \(bare)\n" + (stays ? "" : "stop \(count)\n")
                wanted.append((count, command, [0]))
            case .judged:
                let ours = try #require(command.firstMatch(of: /\bringback ((?:echo|relay) .*)/))
                script += "ringback config \(ours.output.1) > \(count).said 2>&1\n"
                script += "echo $? > \(count).status\n"
                wanted.append((count, command, [0]))
            case .made:
                let name = command.split(separator: " ")[1]
                script += "grep '^\(name):.* ## ' \(Place.root)/Makefile\n"
                script += "echo $? > \(count).status\n"
                wanted.append((count, command, [0]))
            case .notHere: continue
            }
        }
        guard !wanted.isEmpty else { return [] }
        script += "stop all\n"
        let file = folder + "/script"
        try script.write(toFile: file, atomically: true, encoding: .utf8)
        let ended = try Program(["unshare", "--net", "bash", file]).wait(seconds: 120)
        return wanted.map { number, command, statuses in
            func read(_ ending: String) -> String {
                let path = folder + "/\(number).\(ending)"
                return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            }
            let status = read("status").trimmingCharacters(in: .whitespacesAndNewlines)
            return Followed(
                command: command,
                status: status,
                said: read("said") + ended.errors,
                isAsItShould: Int32(status).map(statuses.contains) ?? false
            )
        }
    }

    /// `start NAME COMMAND` starts something that serves, and waits until it does; `stop NAME` ends
    /// it, and `stop all` what is left. `$!` is the last that was started, as at a prompt.
    private static let beginning = """
        set -uo pipefail
        cd "$(dirname "$0")"
        ip link set lo up
        declare -A running=()
        start() {
            local name=$1-${#running[@]}
            [[ $1 == servers ]] || name=$1
            shift
            "$@" > "$name.said" 2>&1 &
            running[$name]=$!
            until grep -q 'try: nc' "$name.said"; do
                kill -0 "$!" 2>/dev/null || break
                sleep 0.02
            done
        }
        stop() {
            local name
            for name in "${!running[@]}"; do
                [[ $1 == all || $1 == "$name" ]] || continue
                kill "${running[$name]}"
                wait "${running[$name]}"
                echo $? > "$name.status"
                unset "running[$name]"
            done
        }

        """
}
