// Deadlines: the moments at which a worker has something to do though nothing arrives. The earliest
// is the limit of the turn's wait, so no timer is ever armed in the kernel.

/// The deadlines of one worker.
struct Deadlines {
    /// What falls due.
    enum Purpose: Int, CaseIterable {
        /// Accepting is tried again after descriptors ran out.
        case acceptRetry
        /// The handler asked to be woken.
        case handlerWake
        /// At a stop at a pace, another connection may go.
        case departure
        /// The drain is over: connections that have not ended are cut.
        case stop
    }

    private var moments = (UInt64.max, UInt64.max, UInt64.max, UInt64.max)

    /// The earliest moment in monotonic nanoseconds, or nil.
    var next: UInt64? {
        let earliest = min(moments.0, moments.1, min(moments.2, moments.3))
        return earliest == .max ? nil : earliest
    }

    /// Sets a deadline, in place of an earlier one for the same purpose.
    mutating func set(_ purpose: Purpose, at moment: UInt64) {
        self[purpose] = moment
    }

    /// Takes a deadline back.
    mutating func clear(_ purpose: Purpose) {
        self[purpose] = .max
    }

    /// Whether a deadline is set.
    func isSet(_ purpose: Purpose) -> Bool { self[purpose] != .max }

    /// Takes out a deadline that has passed.
    mutating func popDue(now: UInt64) -> Purpose? {
        for purpose in Purpose.allCases where self[purpose] <= now {
            clear(purpose)
            return purpose
        }
        return nil
    }

    private subscript(purpose: Purpose) -> UInt64 {
        get {
            switch purpose {
            case .acceptRetry: moments.0
            case .handlerWake: moments.1
            case .departure: moments.2
            case .stop: moments.3
            }
        }
        set {
            switch purpose {
            case .acceptRetry: moments.0 = newValue
            case .handlerWake: moments.1 = newValue
            case .departure: moments.2 = newValue
            case .stop: moments.3 = newValue
            }
        }
    }
}
