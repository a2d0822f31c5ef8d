// DescriptorChannel: a pair of connected sockets on which messages go to and fro, with descriptors
// of open files in them (SCM_RIGHTS, unix(7)): the receiver then has them as well.

import CLinux

/// One end of a channel. Whoever made it closes it.
public struct DescriptorChannel: Equatable, Sendable {
    /// What one message may carry (SCM_MAX_FD of the kernel).
    public static let descriptorsMax = 253
    /// The longest message in bytes.
    public static let messageBytesMax = 4096

    /// A message as it arrived.
    public struct Message: Sendable {
        public let bytes: [UInt8]
        /// The receiver's own. Fewer than were sent where it may not have so many.
        public let descriptors: [Descriptor]
    }

    /// The socket of this end.
    public let descriptor: Descriptor

    /// An end that was inherited.
    public init(descriptor: Descriptor) { self.descriptor = descriptor }

    /// Makes both ends (socketpair(2)).
    public static func pair() throws(SystemError) -> (DescriptorChannel, DescriptorChannel) {
        var (one, other): (Int32, Int32) = (-1, -1)
        try SystemError.check("socketpair", clinux_message_pair(&one, &other))
        return (
            DescriptorChannel(descriptor: Descriptor(rawValue: one)),
            DescriptorChannel(descriptor: Descriptor(rawValue: other))
        )
    }

    /// Sends a message. The descriptors stay the sender's too.
    ///
    /// - Throws: EPIPE or ECONNRESET where the other end is gone, ETOOMANYREFS where more are under
    ///   way than the sender may have open.
    public func send(
        _ bytes: [UInt8],
        _ descriptors: [Descriptor] = []
    ) throws(SystemError) {
        let numbers = descriptors.map(\.rawValue)
        let result = clinux_send_descriptors(
            descriptor.rawValue,
            bytes,
            bytes.count,
            numbers,
            numbers.count
        )
        try SystemError.check("sendmsg", result)
    }

    /// Waits for the next message; nil once the other end is gone and all of its messages are read.
    public func receive() -> Message? {
        var bytes = [UInt8](repeating: 0, count: DescriptorChannel.messageBytesMax)
        var numbers = [Int32](repeating: -1, count: DescriptorChannel.descriptorsMax)
        while true {
            var count = numbers.count
            let result = clinux_receive_descriptors(
                descriptor.rawValue,
                &bytes,
                bytes.count,
                &numbers,
                &count
            )
            if result > 0 {
                return Message(
                    bytes: Array(bytes.prefix(Int(result))),
                    descriptors: numbers.prefix(count).map { Descriptor(rawValue: $0) }
                )
            }
            // The kernel says once that the other end went without having read everything. What it
            // had sent before comes behind that.
            guard result == -Int64(Errno.connectionReset.rawValue) else { return nil }
        }
    }

    /// Waits until there is something to receive, the other end is gone, or somebody rings.
    ///
    /// - Returns: whether there is something here; the bell is not silenced.
    public func waits(orFor bell: Doorbell? = nil, forAtMost nanoseconds: UInt64) -> Bool {
        let milliseconds = nanoseconds.dividedRoundingUp(by: .nanosecondsPerMillisecond)
        let ready = clinux_await_either(
            descriptor.rawValue,
            bell?.descriptor.rawValue ?? -1,
            Int32(clamping: milliseconds)
        )
        return ready > 0 && ready & 1 != 0
    }

    /// Ends it for both: from now on the other end can send no more, and what it had sent can still
    /// be received here.
    public func end() { descriptor.shutdownBoth() }

    /// Closes this end.
    public func close() { descriptor.close() }
}

extension UInt64 {
    fileprivate func dividedRoundingUp(by divisor: UInt64) -> UInt64 {
        self / divisor + (self % divisor == 0 ? 0 : 1)
    }
}
