// What a process spends, on accounts of our own making and on those of living processes.

import Glibc
import Net
import Testing

@testable import Measure

/// A process that is killed at the end.
private final class Child {
    let process: Int32

    init(_ words: String...) {
        var process: pid_t = 0
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        let result = posix_spawn(&process, words[0], nil, nil, arguments, environ)
        for argument in arguments { free(argument) }
        precondition(result == 0, "\(words[0]) does not start: \(result)")
        self.process = process
    }

    deinit {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }
}

struct ProcessUsageTests {
    private typealias Thread = ProcessUsage.ThreadUsage

    private func usage(_ threads: [Int32: Thread]) -> ProcessUsage {
        ProcessUsage(allowedCPUs: [0], residentBytes: nil, threads: threads)
    }

    private func thread(start: UInt64, _ spent: UInt64) -> Thread {
        Thread(
            start: start,
            runNanoseconds: spent,
            waitNanoseconds: 2 * spent,
            voluntarySwitches: 3 * spent,
            involuntarySwitches: 4 * spent
        )
    }

    @Test func subtractsThreadByThread() {
        let before = usage([
            1: thread(start: 5, 100), 2: thread(start: 5, 1000), 3: thread(start: 5, 1000),
        ])
        // 1 went on by 10, 2 has ended, another thread got the number 3, and 4 is new: 1022 in all.
        let after = usage([
            1: thread(start: 5, 110), 3: thread(start: 9, 1005), 4: thread(start: 9, 7),
        ])
        let cost = after.since(before)
        #expect(cost.processorNanoseconds == 1022)
        #expect(cost.runQueueNanoseconds == 2044)
        #expect(cost.voluntarySwitches == 3066)
        #expect(cost.involuntarySwitches == 4088)
        #expect(cost.contextSwitches == 7154)
        #expect(cost.endedThreads == 2)
    }

    @Test func whatIsUnknownIsNil() {
        var blind = thread(start: 5, 100)
        blind.waitNanoseconds = nil
        let cost = usage([1: blind, 2: thread(start: 5, 7)]).since(usage([1: blind]))
        #expect(cost.runQueueNanoseconds == nil)
        #expect(cost.processorNanoseconds == 7)
        #expect(ProcessUsage.sample(process: 0x7fff_fff0) == nil)
    }

    @Test func readsTheKernelsForms() {
        #expect(CPUList.numbers("0-2,7") == [0, 1, 2, 7])
        #expect(CPUList.numbers("3") == [3])
        #expect(CPUList.numbers("") == [])
        #expect(CPUList.numbers("5-2,x,-") == [])
        let fields = Fields("Name:\ta: b\nVmRSS:\t    2080 kB\nmodel name\t: AMD EPYC\nVmRSS:\t1\n")
        #expect(fields.text("Name") == "a: b")
        #expect(fields.number("VmRSS") == 2080)
        #expect(fields.text("model name") == "AMD EPYC")
        #expect(fields.number("none") == nil)
    }

    @Test func seesWorkAndSleep() throws {
        let worker = Child("/bin/sh", "-c", "while :; do :; done")
        let sleeper = Child("/bin/sh", "-c", "while sleep 0.01; do :; done")
        usleep(50_000)
        let before = try #require(ProcessUsage.sample(process: worker.process))
        let rested = try #require(ProcessUsage.sample(process: sleeper.process))
        usleep(300_000)
        let cost = try #require(ProcessUsage.sample(process: worker.process)).since(before)
        let idle = try #require(ProcessUsage.sample(process: sleeper.process)).since(rested)
        #expect(before.allowedCPUs == CPUSet.allowed())
        #expect(try #require(before.residentBytes) > 100_000)
        // Either it runs or it is ready to: it never waits for anything.
        let run = try #require(cost.processorNanoseconds)
        let ready: UInt64 = try run + #require(cost.runQueueNanoseconds)
        let bounds: ClosedRange<UInt64> = 200_000_000...3_000_000_000
        #expect(bounds.contains(ready), "\(run) of \(ready)")
        #expect(try #require(cost.voluntarySwitches) < 5)
        #expect(try #require(idle.voluntarySwitches) >= 5)
        #expect(cost.endedThreads == 0)
    }
}

struct SystemCallCounterTests {
    /// Where the kernel has no tracepoints, or this user may not count.
    private let refusals = [EACCES, EPERM, ENOSYS, ENODEV, ENOENT].map(Errno.init(rawValue:))

    /// A counter of this process; nil where it may not count.
    private func counter() throws(SystemError) -> SystemCallCounter? {
        do {
            return try SystemCallCounter(process: getpid())
        } catch {
            guard refusals.contains(error.code) else { throw error }
            print("may not count system calls here: \(error)")
            return nil
        }
    }

    @Test func countsThoseOfAThreadThatIsStartedLater() throws {
        guard let counter = try counter() else { return }
        let before = try #require(counter.count())
        let thread = try Net.Thread(name: "caller") { for _ in 0..<10_000 { _ = getppid() } }
        thread.join()
        let after = try #require(counter.count())
        let bounds: ClosedRange<UInt64> = 10_000...15_000
        #expect(bounds.contains(after - before), "\(after - before)")
    }

    @Test func saysThatThereIsNoSuchProcess() {
        do throws(SystemError) {
            _ = try SystemCallCounter(process: 0x7fff_fff0)
            Issue.record("there is no such process")
        } catch {
            #expect((refusals + [.noSuchProcess]).contains(error.code), "\(error)")
        }
    }
}
