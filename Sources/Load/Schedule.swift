// Schedule: when the requests of an open loop are due. It does not know what becomes of them: a
// server that stalls changes nothing here, and that is the point of an open loop.

import Glibc
import Net

/// The moments at which one worker's requests are due.
struct Schedule {
    /// When the next request is due, in monotonic nanoseconds.
    private(set) var next: UInt64
    private let start: Double
    private let interval: Double
    private let spacing: Arrivals.Spacing
    // How many intervals the next request is from the start; not whole where they vary.
    private var elapsed: Double
    private var random: SplitMix64

    /// - Parameters:
    ///   - perSecond: requests of this worker; above 0.
    ///   - phase: where within the first interval it begins, from 0 up to 1, so that workers do not
    ///     send all at once.
    init(
        start: UInt64,
        perSecond: Double,
        spacing: Arrivals.Spacing,
        phase: Double,
        seed: UInt64
    ) {
        self.start = Double(start)
        interval = Double(UInt64.nanosecondsPerSecond) / perSecond
        self.spacing = spacing
        random = SplitMix64(seed: seed)
        elapsed = phase
        next = start + UInt64(phase * interval)
        if spacing == .poisson { advance() }
    }

    /// Goes on to the request after the next.
    mutating func advance() {
        switch spacing {
        case .constant:
            elapsed += 1
        case .poisson:
            // The time between independent arrivals is distributed exponentially.
            elapsed -= log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random))
        }
        next = UInt64(start + elapsed * interval)
    }

    /// How many requests are due from the next one on until a moment.
    func count(until moment: UInt64) -> UInt64 {
        guard moment > next else { return 0 }
        return UInt64((Double(moment - next) / interval).rounded(.up))
    }
}
