// The one clock of the house: monotonic nanoseconds, read through the vDSO without a system call.

import CLinux
import Glibc

/// The monotonic clock (CLOCK_MONOTONIC, clock_gettime(2)).
public enum Clock {
    /// Nanoseconds since some point in the past that stays the same while the machine runs.
    @inline(__always)
    public static func monotonicNanoseconds() -> UInt64 {
        UInt64(bitPattern: clinux_monotonic_nanoseconds())
    }

    /// Has the calling thread sleep, less than a second.
    public static func sleep(nanoseconds: UInt64) {
        usleep(UInt32(nanoseconds / .nanosecondsPerMicrosecond))
    }
}

extension UInt64 {
    /// One microsecond, millisecond and second in nanoseconds.
    public static let nanosecondsPerMicrosecond: UInt64 = 1000
    public static let nanosecondsPerMillisecond: UInt64 = 1_000_000
    public static let nanosecondsPerSecond: UInt64 = 1_000_000_000
}
