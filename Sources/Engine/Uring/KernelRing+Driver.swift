// The io_uring driver on the kernel's own ring.

import Net
import URing

extension UringDriver where R == KernelRing {
    init(_ plan: DriverPlan, _ state: inout WorkerState) throws(SystemError) {
        let options = KernelRing.Options(
            submissionEntries: state.limits.submissionEntries,
            completionEntries: state.limits.completionEntries
        )
        let ring = try KernelRing(options)
        try self.init(ring: ring, plan: plan, &state)
    }
}
