// StartTrouble: what a kernel may refuse while a ring is set up and first entered. It has a chance
// of its own, so that everything else of a seed is what it would be without.

import Engine
package import Net

/// What goes wrong at the start of a run.
struct StartTrouble {
    /// Why the group of buffers cannot be opened.
    var groupError: Errno?
    /// What the first enters fail with. All of it passes.
    var enterErrors: [Errno] = []
    /// The table of registered files has room for the connections and for no more, as where
    /// RLIMIT_NOFILE allows no larger one.
    var tableIsTight = false

    /// No trouble.
    init() {}

    /// That of a seed. It never keeps the ring from starting.
    init(seed: UInt64) {
        var chance = Chance(seed: Chance.mix(seed ^ 0x57a7))
        if chance.happens(100) {
            let errors: [Errno] = [.interrupted, .busy, .tryAgain, .outOfMemory]
            enterErrors = (0..<chance.within(1...5)).map { _ in chance.pick(errors) }
        }
        tableIsTight = chance.happens(500)
    }

    /// What there is of it, in words.
    var description: String {
        (tableIsTight ? ", tight" : "")
            + (enterErrors.isEmpty ? "" : ", first enters fail: \(enterErrors)")
    }
}

extension Plan {
    /// The kernel refuses the group of buffers.
    package mutating func refuseGroup(_ error: Errno) { start.groupError = error }

    /// The first enters fail.
    package mutating func failFirstEnters(_ errors: [Errno]) { start.enterErrors = errors }

    /// Files that the ring's table has room for: as `Limits.registeredFiles`.
    var fileCount: Int {
        guard registersFiles else { return 0 }
        return limits.connectionsMax + (start.tableIsTight ? 0 : 4096)
    }
}
