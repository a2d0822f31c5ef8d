// SystemdDropIn: what the unit of the service needs on one host for one purpose, as a file for
// /etc/systemd/system/ringback.service.d.

import URing

extension Checkup {
    /// The drop-in. What the unit says of these limits is replaced.
    public var dropIn: String {
        """
        # Written by `ringback doctor --write-systemd` for \(purpose.connections) clients and \
        \(purpose.workers) workers on Linux \(host.facts["kernel"] ?? "of unknown version").
        # Write it anew when one of them changes.
        [Service]
        LimitNOFILE=\(descriptorsNeeded)
        # Twice what the rings take: the limit is one for all processes of a user, and while one
        # hands over to its successor there are two.
        LimitMEMLOCK=\(2 * lockedBytesNeeded / 1024)K
        \(ringCalls)

        """
    }

    /// A ring that cannot be had is a way into the kernel for nobody but an intruder.
    private var ringCalls: String {
        let calls = SeccompProfile.ring.joined(separator: " ")
        switch host.unavailable {
        case .disabledBySysctl:
            return """
                # kernel.io_uring_disabled forbids rings, and epoll serves.
                SystemCallFilter=~\(calls)
                """
        case .kernelTooOld(let missing):
            return """
                # The kernel lacks \(missing), and epoll serves.
                SystemCallFilter=~\(calls)
                """
        case nil, .forbidden, .memoryLockLimit, .failed:
            return "SystemCallFilter=\(calls)"
        }
    }
}
