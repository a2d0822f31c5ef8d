// EnterRate: how many enters a worker makes in a virtual second, for what they bring. A spin may
// hide in the traffic of others, where no hundred enters in a row are vain.

/// The enters of one virtual second after another.
struct EnterRate {
    /// Enters beyond two for each thing that they brought, or were woken by: a completion of
    /// something that worked, trouble that was made, bytes that arrived though there is no buffer.
    private static let surplusMax = 100

    private var start: UInt64 = 0
    private var enters = 0
    private var gains = 0

    /// Takes note of where the host is; returns what is wrong with it, or nil.
    mutating func complaint(_ host: ModelHost) -> String? {
        if host.timeline.now - start > 1_000_000_000 {
            (start, enters, gains) = (host.timeline.now, host.enters, host.gains + host.news)
        }
        let (entered, gained) = (host.enters - enters, host.gains + host.news - gains)
        guard entered > 2 * gained + EnterRate.surplusMax else { return nil }
        return "\(entered) enters in a second brought \(gained) things"
    }
}
