// FuzzRunner: runs one target under libFuzzer. `fuzz TARGET [libFuzzer's arguments]`; without
// arguments it lists the targets. Only `make fuzz` builds it.

import CFuzzer

// The driver calls a C function, which cannot carry the target along.
nonisolated(unsafe) private var target = FuzzTarget.address

@main
enum FuzzRunner {
    static func main() {
        guard CommandLine.argc > 1 else {
            for target in FuzzTarget.allCases { print(target.rawValue) }
            return
        }
        guard let chosen = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
            fatalError("there is no target '\(CommandLine.arguments[1])'")
        }
        target = chosen
        // What follows the target's name is the driver's, with that name as the program's.
        var count = CommandLine.argc - 1
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
            CommandLine.unsafeArgv + 1
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
}
