// ProcessUsage: what a process has spent, from the kernel's accounts of each of its threads. It is
// taken at two moments and subtracted. The accounts are by thread and vanish with it, so the
// difference is taken thread by thread: a sum over all would fall when a thread ends.

import Glibc

/// The accounts of a process at one moment.
public struct ProcessUsage: Equatable, Sendable {
    /// The CPUs that any of its threads may run on, ascending.
    public var allowedCPUs: [Int32]
    /// Memory that it holds, in bytes (VmRSS).
    public var residentBytes: UInt64?
    var threads: [Int32: ThreadUsage]

    /// What one thread has spent since it began.
    struct ThreadUsage: Equatable, Sendable {
        /// The moment of its beginning, in ticks; tells it from a later one of the same number.
        var start: UInt64?
        var runNanoseconds: UInt64?
        var waitNanoseconds: UInt64?
        var voluntarySwitches: UInt64?
        var involuntarySwitches: UInt64?
        var allowedCPUs: [Int32] = []
    }

    /// Takes the accounts of a process; nil where there is none, or no right to look.
    public static func sample(process: Int32) -> ProcessUsage? {
        let folder = "/proc/\(process)"
        guard let names = SystemFile.names(inFolder: folder + "/task") else { return nil }
        var threads: [Int32: ThreadUsage] = [:]
        for name in names {
            // A thread that ends while we look has no files any more, and is left out.
            guard let number = Int32(name),
                let usage = ThreadUsage(folder: "\(folder)/task/\(name)")
            else { continue }
            threads[number] = usage
        }
        guard !threads.isEmpty else { return nil }
        let status = Fields(ofStatus: folder + "/status")
        return ProcessUsage(
            allowedCPUs: Set(threads.values.flatMap(\.allowedCPUs)).sorted(),
            residentBytes: status?.number("VmRSS").map { $0 * 1024 },
            threads: threads
        )
    }

    /// What was spent between an earlier moment and this one. What a thread spent that has ended in
    /// between is lost, and `endedThreads` says of how many.
    public func since(_ earlier: ProcessUsage) -> ProcessCost {
        var cost = ProcessCost()
        for (number, now) in threads {
            // Another thread may have got the number of one that has ended.
            let known = earlier.threads[number]
            let before = known?.start == now.start ? known : nil
            func add(_ field: KeyPath<ThreadUsage, UInt64?>, to sum: inout UInt64?) {
                guard let so = sum, let value = now[keyPath: field] else {
                    sum = nil
                    return
                }
                let past = before?[keyPath: field] ?? 0
                sum = so + (value >= past ? value - past : 0)
            }
            add(\.runNanoseconds, to: &cost.processorNanoseconds)
            add(\.waitNanoseconds, to: &cost.runQueueNanoseconds)
            add(\.voluntarySwitches, to: &cost.voluntarySwitches)
            add(\.involuntarySwitches, to: &cost.involuntarySwitches)
        }
        cost.endedThreads = earlier.threads.count { number, before in
            threads[number].map { $0.start != before.start } ?? true
        }
        return cost
    }
}

/// What a process has spent between two moments; nil where the kernel does not say.
public struct ProcessCost: Codable, Equatable, Sendable {
    /// Time on a CPU.
    public var processorNanoseconds: UInt64? = 0
    /// Time in which threads were ready to run and waited for a CPU, all threads added up.
    public var runQueueNanoseconds: UInt64? = 0
    /// How often threads gave their CPU up to wait for something.
    public var voluntarySwitches: UInt64? = 0
    /// How often threads lost their CPU to another.
    public var involuntarySwitches: UInt64? = 0
    /// Threads that have ended in between, the rest of whose cost is not in the sums.
    public var endedThreads = 0

    /// How often threads left their CPU.
    public var contextSwitches: UInt64? {
        guard let voluntarySwitches, let involuntarySwitches else { return nil }
        return voluntarySwitches + involuntarySwitches
    }

    /// Nothing.
    public init() {}

    enum CodingKeys: String, CodingKey {
        case processorNanoseconds = "cpu_ns"
        case runQueueNanoseconds = "run_queue_ns"
        case voluntarySwitches = "voluntary_switches"
        case involuntarySwitches = "involuntary_switches"
        case endedThreads = "ended_threads"
    }
}

extension ProcessUsage.ThreadUsage {
    /// The accounts in a folder `/proc/PID/task/TID`; nil where the thread has ended.
    init?(folder: String) {
        guard let status = Fields(ofStatus: folder + "/status") else { return nil }
        voluntarySwitches = status.number("voluntary_ctxt_switches")
        involuntarySwitches = status.number("nonvoluntary_ctxt_switches")
        allowedCPUs = CPUList.numbers(status.text("Cpus_allowed_list") ?? "")
        // Time on a CPU, time in the run queue, and turns. A kernel without CONFIG_SCHED_INFO has
        // no such file.
        let times = SystemFile.line(folder + "/schedstat")?.split(separator: " ") ?? []
        runNanoseconds = times.count > 1 ? UInt64(times[0]) : nil
        waitNanoseconds = times.count > 1 ? UInt64(times[1]) : nil
        // The name in brackets may have blanks in it; field 22 is the 20th behind it.
        let line = SystemFile.line(folder + "/stat") ?? ""
        let fields = line[(line.lastIndex(of: ")") ?? line.startIndex)...].split(separator: " ")
        start = fields.count > 20 ? UInt64(fields[20]) : nil
    }
}

/// A file of lines such as `VmRSS:  2080 kB`.
struct Fields {
    private var values: [Substring: Substring] = [:]

    init?(ofStatus path: String) {
        guard let text = SystemFile.text(path) else { return nil }
        self.init(text)
    }

    /// The first line of each name counts.
    init(_ text: String) {
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].split { $0 == " " || $0 == "\t" }.joined(separator: " ")
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            if values[Substring(name)] == nil { values[Substring(name)] = value }
        }
    }

    func text(_ name: String) -> String? { values[Substring(name)].map { String($0) } }

    /// The first word of a value, if it is a number.
    func number(_ name: String) -> UInt64? {
        values[Substring(name)]?.split(separator: " ").first.flatMap { UInt64($0) }
    }
}

/// CPUs as the kernel writes them: `0-3,8`.
enum CPUList {
    static func numbers(_ text: String) -> [Int32] {
        text.split(separator: ",").flatMap { part -> [Int32] in
            let ends = part.split(separator: "-").compactMap { Int32($0) }
            guard let first = ends.first, let last = ends.last, first <= last, last < 65536 else {
                return []
            }
            return Array(first...last)
        }
    }
}
