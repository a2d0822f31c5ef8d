// BufferSupply: how many buffers the kernel is offered to receive into.
//
// The kernel takes offered buffers in turn, so all of them pass through the cache. What large
// messages fill should therefore stay small: then a buffer is still in the cache when it is sent.
// Small messages need many buffers, and fill little of each. The largest are not received into
// buffers at all (Worker+Bypass.swift), but begin so: with too few buffers for that they come to
// run behind, and stay there (docs/decisions/0013-bulk-leaves-the-pool.md).

/// How many buffers are offered. It doubles when a receive finds none, as long as what was lately
/// received into them all fits the cache.
struct BufferSupply {
    /// A quarter of the 2 MiB that a core's cache commonly holds, since each byte passes it three
    /// times: in the socket's receive queue, in the buffer, and in the send queue.
    private static let hotBytes = 512 << 10
    /// What is offered at first.
    private static let firstBytes = 4 << 20

    private(set) var bufferCount: Int
    private let bufferCountMax: Int
    private var receivesBefore: UInt64 = 0
    private var bytesBefore: UInt64 = 0

    /// - Parameter bufferCount: the most that may ever be offered.
    init(bufferBytes: Int, bufferCount: Int) {
        bufferCountMax = bufferCount
        self.bufferCount = min(max(2, Self.firstBytes / bufferBytes), bufferCount)
    }

    /// A receive found no buffer.
    mutating func noteStarvation(_ counters: Counters) {
        let receives = counters.receives - receivesBefore
        guard receives > 0 else { return }
        let bytesPerReceive = (counters.bytesReceived - bytesBefore) / receives
        receivesBefore = counters.receives
        bytesBefore = counters.bytesReceived
        // Large messages leave some buffers half full, and still mean to fill them.
        if bytesPerReceive * UInt64(bufferCount) <= UInt64(Self.hotBytes) * 3 / 4 {
            bufferCount = min(bufferCount * 2, bufferCountMax)
        }
    }
}
