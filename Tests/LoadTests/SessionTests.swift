// The requests of a session, and the queue that sessions stand in.

import Testing

@testable import Load

struct SessionTests {
    @Test func requestsAreCompletedInTheirOrderAroundTheRing() {
        var sessions = SessionTable(numbers: 10..<12, depth: 3)
        var due: UInt64 = 0
        for round in 0..<20 {
            while sessions.room(1) > 0 {
                due += 1
                sessions.grant(1, due: due)
            }
            #expect(sessions[1].granted == (round == 0 ? 3 : 2))
            while sessions[1].granted > 0 {
                sessions.begin(1, byteCount: 5, sentAt: 100 + due)
                sessions[1].sent += 5
            }
            let oldest = sessions.oldest(1)
            sessions.completeOldest(1)
            let next = sessions.oldest(1)
            #expect(next.due == oldest.due + 1)
            #expect(next.end == oldest.end + 5)
            sessions.completeOldest(1)
        }
        #expect(sessions.room(0) == 3, "the other session has nothing to do with it")
    }

    @Test func countsWhatIsLostWithAConnection() {
        var sessions = SessionTable(numbers: 0..<1, depth: 4)
        for due: UInt64 in [10, 20, 30] { sessions.grant(0, due: due) }
        sessions.begin(0, byteCount: 8, sentAt: 40)
        sessions[0].sent = 8
        #expect(sessions.requestCount(0, dueSince: 20) == 2)
        sessions.forgetRequests(0)
        #expect(sessions.requestCount(0, dueSince: 0) == 0)
        #expect(sessions[0].received == 8, "the next connection's stream goes on behind it")
    }

    @Test func aQueueKeepsItsOrderAroundItsEnd() {
        var queue = FixedQueue<Int>(capacity: 3)
        var (next, expected) = (0, 0)
        for _ in 0..<10 {
            while queue.count < 3 {
                queue.append(next)
                next += 1
            }
            #expect(queue.first == expected)
            for _ in 0..<2 {
                #expect(queue.popFirst() == expected)
                expected += 1
            }
        }
        while queue.popFirst() != nil {}
        #expect(queue.isEmpty && queue.first == nil)
    }
}
