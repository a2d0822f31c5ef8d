// The feature matrix: the conformance suite with each feature of io_uring switched off in turn, as
// an older kernel would have it, and on epoll. The verdicts are the same everywhere.
//
// Buffer rings (Linux 5.19) are not in it: the driver cannot do without. A receive that is armed
// names no memory; the kernel takes a buffer when bytes come, so that idle connections hold none.
// Without them `auto` takes epoll, which theWantOfBufferRingsMeansEpoll of ServiceTests shows.

import Conform
import Engine
import Net
import Support
import Testing
import URing

/// A kernel that lacks something, or a way to do without.
enum Kernel: String, CaseIterable, Sendable {
    case everything
    /// Linux 5.19 has buffer rings, and multishot accept; the receive came with 6.0.
    case withoutMultishot
    /// Linux 6.0.
    case withoutDeferTaskrun
    /// Linux 5.19: without it DEFER_TASKRUN is not to be had either.
    case withoutSingleIssuer
    case withoutCooperativeTaskrun
    case withoutSubmitAll
    /// None of the above.
    case bare
    case bareWithRegisteredFiles
    case registeredFiles
    case epoll

    var refusedFlags: SetupFlags {
        switch self {
        case .withoutDeferTaskrun: .deferTaskrun
        case .withoutSingleIssuer: [.singleIssuer, .deferTaskrun]
        case .withoutCooperativeTaskrun: .cooperativeTaskrun
        case .withoutSubmitAll: .submitAll
        case .bare, .bareWithRegisteredFiles:
            [.deferTaskrun, .singleIssuer, .cooperativeTaskrun, .submitAll]
        case .everything, .withoutMultishot, .registeredFiles, .epoll: []
        }
    }

    func apply(to plan: inout GroupPlan) {
        plan.backend = self == .epoll ? .epoll : .uring
        plan.refusedFlags = refusedFlags
        plan.usesMultishot = ![.withoutMultishot, .bare, .bareWithRegisteredFiles].contains(self)
        plan.registersFiles = [.registeredFiles, .bareWithRegisteredFiles].contains(self)
    }
}

@Suite(.timeLimit(.minutes(3)))
struct FeatureMatrixTests {
    /// The cases in their order, each with what was found wrong.
    @Test(arguments: Kernel.allCases)
    func allKernelsGiveTheSameVerdicts(_ kernel: Kernel) throws {
        let server = try EchoServer(Backend.uring) { kernel.apply(to: &$0) }
        var suite = Suite(
            target: server.address,
            timeoutNanoseconds: 10 * .nanosecondsPerSecond,
            key: 43
        )
        var failed: [String] = []
        for test in Suite.cases {
            let result = suite.run(test)
            if result.finding != nil { failed.append(TAP.lines(result, number: 1)) }
        }
        let counters = server.stop()
        let name = kernel.rawValue
        print("feature \(name): \(Suite.cases.count - failed.count)/\(Suite.cases.count) cases ok")
        #expect(failed == [])
        #expect(counters.accepted == counters.closed)
        #expect(counters.bytesReceived == counters.bytesSent + counters.bytesDropped)
        #expect(counters.staleCompletions == 0)
    }

    /// What a plan refuses is not asked for: otherwise the test above would prove nothing.
    @Test func theFlagsAreRefused() throws {
        for kernel in Kernel.allCases where kernel != .epoll {
            var options = KernelRing.Options(submissionEntries: 8, completionEntries: 16)
            options.refusedFlags = kernel.refusedFlags
            let flags = try KernelRing(options).setupFlags
            #expect(flags.isDisjoint(with: kernel.refusedFlags))
        }
    }
}
