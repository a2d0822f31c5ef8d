// What a handing over relies on: which messages still arrive when a channel ends, and whose
// descriptors are.

import Glibc
import Net
import Testing

@Suite struct DescriptorChannelTests {
    private func withPair(
        _ body: (DescriptorChannel, DescriptorChannel) throws -> Void
    ) throws {
        let (one, other) = try DescriptorChannel.pair()
        try body(one, other)
    }

    @Test func messagesStayApartAndCarryDescriptors() throws {
        try withPair { one, other in
            let (near, far) = try DescriptorChannel.pair()
            try one.send([1, 2], [near.descriptor])
            try one.send([3])
            let first = try #require(other.receive())
            #expect(first.bytes == [1, 2])
            #expect(other.receive()?.bytes == [3])
            // Another descriptor of the same socket, which nobody inherits.
            let copy = try #require(first.descriptors.first)
            #expect(copy != near.descriptor)
            #expect(fcntl(copy.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            near.close()
            try far.send([4])
            #expect(DescriptorChannel(descriptor: copy).receive()?.bytes == [4])
            for each in [copy, far.descriptor, one.descriptor, other.descriptor] { each.close() }
        }
    }

    @Test func asManyAsTheKernelTakes() throws {
        try withPair { one, other in
            let most = Array(repeating: one.descriptor, count: DescriptorChannel.descriptorsMax)
            try one.send([1], most)
            #expect(throws: SystemError.self) { try one.send([1], most + [one.descriptor]) }
            let message = try #require(other.receive())
            #expect(message.descriptors.count == most.count)
            for each in message.descriptors + [one.descriptor, other.descriptor] { each.close() }
        }
    }

    /// Behind an end nothing can be said any more; what was said before is heard.
    @Test func anEndIsForBoth() throws {
        try withPair { one, other in
            try other.send([1])
            one.end()
            #expect(throws: SystemError("sendmsg", .brokenPipe)) { try other.send([2]) }
            #expect(one.receive()?.bytes == [1])
            #expect(one.receive()?.bytes == nil)
            one.close()
            other.close()
        }
    }

    /// Also where whoever said it is gone, and has not heard everything.
    @Test func whatTheDeadHaveSaidIsHeard() throws {
        try withPair { one, other in
            try one.send([1])
            try other.send([2])
            other.close()
            #expect(one.waits(forAtMost: 0))
            #expect(one.receive()?.bytes == [2])
            #expect(one.receive()?.bytes == nil)
            one.close()
        }
    }

    @Test func aBellEndsAWait() throws {
        try withPair { one, other in
            let bell = try Doorbell()
            #expect(!one.waits(orFor: bell, forAtMost: .nanosecondsPerMillisecond))
            bell.ring()
            #expect(!one.waits(orFor: bell, forAtMost: 10 * .nanosecondsPerSecond))
            try other.send([1])
            #expect(one.waits(orFor: bell, forAtMost: 10 * .nanosecondsPerSecond))
            one.close()
            other.close()
        }
    }
}
