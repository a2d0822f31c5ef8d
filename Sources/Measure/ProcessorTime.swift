// ProcessorTime: how long a process has run, from the scheduler's own accounts, to the nanosecond.

import Glibc

/// The time that a process's threads have spent on a CPU.
public enum ProcessorTime {
    /// The run time of all living threads of a process in nanoseconds: the first field of
    /// `/proc/PID/task/*/schedstat` (proc(5)). nil where there is no such process, or no right to
    /// look.
    public static func nanoseconds(ofProcess process: Int32) -> UInt64? {
        let folder = "/proc/\(process)/task"
        guard let list = opendir(folder) else { return nil }
        defer { closedir(list) }
        var sum: UInt64 = 0
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            guard !name.hasPrefix(".") else { continue }
            sum += firstNumber(inFile: "\(folder)/\(name)/schedstat") ?? 0
        }
        return sum
    }

    private static func firstNumber(inFile path: String) -> UInt64? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var number: UInt64 = 0
        var character = fgetc(file)
        while character >= 0x30, character <= 0x39 {
            number = number * 10 + UInt64(character - 0x30)
            character = fgetc(file)
        }
        return number
    }
}
