// FuzzRunner: runs one target under libFuzzer. `fuzz TARGET [libFuzzer's arguments]`; without
// arguments it lists the targets. Only `make fuzz` builds it.

import CFuzzer
import Glibc

// The driver calls a C function, which cannot carry the target along.
nonisolated(unsafe) private var target = FuzzTarget.address

@main
enum FuzzRunner {
    /// Names the target to a process that the driver starts: it does so by the program's name and
    /// options of its own alone, when it merges.
    private static let variable = "RINGBACK_FUZZ_TARGET"

    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
            CommandLine.unsafeArgv
        if let inherited = getenv(variable) {
            target = named(String(cString: inherited))
        } else {
            guard count > 1 else {
                for target in FuzzTarget.allCases { print(target.rawValue) }
                return
            }
            target = named(CommandLine.arguments[1])
            setenv(variable, target.rawValue, 1)
            // What follows the target's name is the driver's.
            CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
            arguments = CommandLine.unsafeArgv + 1
            count -= 1
        }
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, byteCount in
            let input = Array(UnsafeBufferPointer(start: bytes, count: byteCount))
            do {
                try target.run(input)
            } catch {
                fatalError("\(error)")
            }
            return 0
        }
    }

    private static func named(_ name: String) -> FuzzTarget {
        guard let target = FuzzTarget(rawValue: name) else {
            fatalError("there is no target '\(name)'")
        }
        return target
    }
}
