// Errors while a ring is set up: the call is named, and nothing of the ring stays behind.

import Foundation
import Net
import Testing
import URing

@Suite(.serialized, .enabled(if: Uring.isAvailable))
struct SetUpTests {
    /// Descriptors and mappings of rings that this process has.
    private func held() throws -> [Int] {
        let maps = try String(contentsOfFile: "/proc/self/maps", encoding: .utf8)
        return [
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count,
            maps.split(separator: "\n").count { $0.contains("io_uring") },
        ]
    }

    private func options(_ entries: Int, files: Int = 0) -> KernelRing.Options {
        var options = KernelRing.Options(submissionEntries: entries, completionEntries: 16)
        options.registeredFiles = files
        return options
    }

    @Test func aRingThatIsRefusedLeavesNothing() throws {
        let before = try held()
        #expect(throws: SystemError("io_uring_setup", .invalidArgument)) {
            _ = try KernelRing(options(0))
        }
        #expect(try held() == before)
    }

    /// A table may have as many files as the process descriptors (RLIMIT_NOFILE).
    @Test func aTableThatIsRefusedLeavesNoRing() throws {
        let before = try held()
        let files = Int(DescriptorLimit.current().soft) + 1
        #expect(throws: SystemError("io_uring_register(FILES)", .tooManyFiles)) {
            _ = try KernelRing(options(8, files: files))
        }
        #expect(try held() == before)
    }

    @Test func aGroupThatIsRefusedLeavesTheRingAsItWas() throws {
        let before = try held()
        try openTwice()
        #expect(try held() == before)
    }

    private func openTwice() throws {
        let group = BufferGroup(rawValue: 0)
        var ring = try KernelRing(options(8))
        try ring.openGroup(group, entries: 2)
        do throws(SystemError) {
            try ring.openGroup(group, entries: 2)
            Issue.record("a group was opened twice")
        } catch {
            #expect(error == SystemError("io_uring_register(PBUF_RING)", Errno(rawValue: EEXIST)))
        }
        let failure = ring.enter(waitingFor: 0, forAtMost: nil)
        #expect(failure == nil)
    }
}
