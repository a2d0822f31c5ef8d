// The options by which a relay looks after its upstreams: whether they serve, and where they are.

import ArgumentParser
import Engine
import Logging
import Net
import Options
import Relay

struct CheckChoice: ParsableArguments {
    @Option(
        help: """
            How often each upstream is asked whether it serves, by a connect of its own; 0 never.
            """
    )
    var checkInterval = TimeSpan.seconds(0)

    @Option(help: "How long an upstream has for its answer.")
    var checkTimeout = TimeSpan.seconds(2)

    @Option(help: "Checks in a row that have to fail until an upstream is not used any more.")
    var checkFall = 3

    @Option(help: "Checks in a row that have to succeed until it is used again.")
    var checkRise = 2

    @Option(
        help: ArgumentHelp(
            "What is sent in a check: text with \\r, \\n, \\t, \\\\ and \\xHH.",
            valueName: "text"
        )
    )
    var checkSend: String?

    @Option(
        help: ArgumentHelp(
            "What the answer has to contain, within its first 16 KiB.",
            valueName: "text"
        )
    )
    var checkExpect: String?

    @Option(help: "How often upstreams' names are looked up again; 0 only at the start.")
    var resolveInterval = TimeSpan.seconds(30)

    /// What to ask; nil where nothing is.
    func check() throws -> HealthCheck? {
        guard checkInterval.nanoseconds > 0 else {
            guard checkSend == nil, checkExpect == nil else {
                throw Failure(.usage, "--check-send and --check-expect need --check-interval")
            }
            return nil
        }
        var check = HealthCheck(intervalNanoseconds: checkInterval.nanoseconds)
        guard checkTimeout.nanoseconds > 0 else {
            throw Failure(.usage, "--check-timeout must be above 0")
        }
        check.timeoutNanoseconds = checkTimeout.nanoseconds
        check.fall = try streak(checkFall, "--check-fall")
        check.rise = try streak(checkRise, "--check-rise")
        check.send = try bytes(checkSend, "--check-send")
        check.expect = try bytes(checkExpect, "--check-expect")
        return check
    }

    private func streak(_ number: Int, _ option: String) throws -> Int {
        guard (1...1000).contains(number) else {
            throw Failure(.usage, "\(option) must be from 1 to 1000, not \(number)")
        }
        return number
    }

    private func bytes(_ text: String?, _ option: String) throws -> [UInt8] {
        guard let text else { return [] }
        do throws(EscapedText.Problem) {
            return try EscapedText.bytes(of: text)
        } catch {
            throw Failure(.usage, "\(option) '\(text)': \(error)")
        }
    }

    /// Looks after upstreams while workers run.
    ///
    /// - Parameters:
    ///   - listeners: of the relay, to which no name may come to lead.
    ///   - beforeServing: what a thread does first that has to do with upstreams.
    /// - Returns: what ends that.
    func keep(
        _ set: UpstreamSet,
        _ check: HealthCheck?,
        listeners: [SocketAddress],
        _ group: WorkerGroup,
        beforeServing: ThreadStart?,
        _ logger: Logger
    ) throws -> () -> Void {
        let report: @Sendable (String) -> Void = { logger.notice("\($0)") }
        do throws(SystemError) {
            let checks = try check.map { check throws(SystemError) in
                try UpstreamKeeper(set, check, beforeServing: beforeServing, report: report)
            }
            let names = try keepAddresses(set, listeners, group, report)
            return {
                checks?.stop()
                names?.stop()
            }
        } catch {
            throw Failure(.couldNotRun, "upstreams cannot be looked after: \(error)")
        }
    }

    private func keepAddresses(
        _ set: UpstreamSet,
        _ listeners: [SocketAddress],
        _ group: WorkerGroup,
        _ report: @escaping @Sendable (String) -> Void
    ) throws(SystemError) -> AddressKeeper? {
        let hasNames = set.upstreams.contains {
            SocketAddress(host: $0.options.host, port: 0) == nil
        }
        guard resolveInterval.nanoseconds > 0, hasNames else { return nil }
        return try AddressKeeper(
            set,
            intervalNanoseconds: resolveInterval.nanoseconds,
            resolve: { SocketAddress.resolve(host: $0, port: $1) },
            isForbidden: { address, host in
                ForbiddenUpstream.isListener(address, of: listeners)
                    ? "the relay listens there itself"
                    : ForbiddenUpstream.reason(against: address, host: host)
            },
            changed: { [weak group] in group?.wake() },
            report: report
        )
    }
}
