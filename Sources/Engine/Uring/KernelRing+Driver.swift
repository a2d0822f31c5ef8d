// The io_uring driver on the kernel's own ring.

import Net
import URing

extension UringDriver where R == KernelRing {
    /// Opens a ring on the calling thread. Where the limit on locked memory leaves no room for
    /// rings of the size that was asked for, smaller ones serve as well, with more turns.
    init(_ plan: DriverPlan, _ state: inout WorkerState) throws(SystemError) {
        var options = KernelRing.Options(
            submissionEntries: state.limits.submissionEntries,
            completionEntries: state.limits.completionEntries
        )
        options.refusedFlags = plan.refusedFlags
        if plan.registersFiles { options.registeredFiles = state.limits.registeredFiles }
        if plan.restrictsRings {
            options.restriction = RingRestriction(connects: !plan.targets.isEmpty)
        }
        #if BUGBANK
            options.sendsAreWrites = KnownFault.sendsAreWrites.isBack
        #endif
        let group = BufferGroup(rawValue: 0)
        while true {
            do throws(SystemError) {
                var ring = try KernelRing(options)
                try ring.openGroup(group, entries: state.limits.bufferCount)
                try ring.enable()
                self.init(ring: ring, group: group, plan: plan, &state)
                return
            } catch {
                guard error.code == .outOfMemory, options.submissionEntries > 8 else { throw error }
                options.submissionEntries /= 2
                options.completionEntries = max(16, options.completionEntries / 4)
            }
        }
    }
}
