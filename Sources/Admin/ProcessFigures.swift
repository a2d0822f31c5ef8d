// ProcessFigures: what the kernel says of the own process, under the names that every Prometheus
// client gives it. One small file is read, and nothing that grows with the number of connections:
// these figures are asked for every second.

import Glibc
import Measure
import Net

/// The kernel's accounts of the own process.
public struct ProcessFigures: Equatable, Sendable {
    /// Memory in use, and addresses in use.
    public var residentBytes: UInt64
    public var virtualBytes: UInt64
    /// Time on a CPU, all threads together, in the program and in the kernel for it.
    public var processorSeconds: Double
    /// Descriptors open now, and how many may be (the soft limit).
    public var openDescriptors: Int
    public var descriptorsMax: UInt64
    public var threads: Int
    /// When it started, in seconds since 1970 (UTC).
    public var startedAtSeconds: Double

    public init(
        residentBytes: UInt64,
        virtualBytes: UInt64,
        processorSeconds: Double,
        openDescriptors: Int,
        descriptorsMax: UInt64,
        threads: Int,
        startedAtSeconds: Double
    ) {
        self.residentBytes = residentBytes
        self.virtualBytes = virtualBytes
        self.processorSeconds = processorSeconds
        self.openDescriptors = openDescriptors
        self.descriptorsMax = descriptorsMax
        self.threads = threads
        self.startedAtSeconds = startedAtSeconds
    }

    /// Those of this process now; nil where /proc cannot be read, as when descriptors have run out.
    public static func current() -> ProcessFigures? {
        // The name in brackets may have blanks in it; the third field of proc_pid_stat(5) follows.
        guard let line = SystemFile.line("/proc/self/stat"), let name = line.lastIndex(of: ")")
        else { return nil }
        let fields = line[line.index(after: name)...].split(separator: " ")
        func field(_ number: Int) -> UInt64? {
            fields.count > number - 3 ? UInt64(fields[number - 3]) : nil
        }
        guard let threads = field(20), let start = field(22), let virtual = field(23),
            let pages = field(24), let descriptors = openDescriptorCount()
        else { return nil }
        return ProcessFigures(
            residentBytes: pages * UInt64(sysconf(Int32(_SC_PAGESIZE))),
            virtualBytes: virtual,
            processorSeconds: seconds(CLOCK_PROCESS_CPUTIME_ID),
            openDescriptors: descriptors,
            descriptorsMax: DescriptorLimit.current().soft,
            threads: Int(threads),
            startedAtSeconds: bootSeconds + Double(start) / Double(sysconf(Int32(_SC_CLK_TCK)))
        )
    }

    /// Linux 6.2 and later tell the number as the size of the folder; before, each has to be
    /// counted.
    private static func openDescriptorCount() -> Int? {
        let folder = "/proc/self/fd"
        var status = stat()
        guard stat(folder, &status) == 0 else { return nil }
        if status.st_size > 0 { return Int(status.st_size) }
        // The folder itself is among them while it is read.
        return SystemFile.names(inFolder: folder).map { $0.count - 1 }
    }

    /// When the machine started, in seconds since 1970 (UTC). A time of day that is set later must
    /// not move the start of the process, so it is taken once.
    private static let bootSeconds = seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME)

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
