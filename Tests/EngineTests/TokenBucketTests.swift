// Token buckets in made-up time, and the ledger of sources against a plain model of it.

import Net
import Synchronization
import Testing

@testable import Engine

struct TokenBucketTests {
    private let second = UInt64.nanosecondsPerSecond

    @Test func givesItsBurstAndThenItsRate() {
        let rate = TokenRate(perSecond: 10, burst: 3)
        let bucket = TokenBucket()
        for _ in 0..<3 { expect(bucket.takeIfThere(at: rate, now: second)) }
        expect(!bucket.takeIfThere(at: rate, now: second))
        expect(!bucket.takeIfThere(at: rate, now: second + second / 10 - 1))
        expect(bucket.takeIfThere(at: rate, now: second + second / 10))
        expect(!bucket.takeIfThere(at: rate, now: second + second / 10))
        // It never holds more than its burst.
        for _ in 0..<3 { expect(bucket.takeIfThere(at: rate, now: 100 * second)) }
        expect(!bucket.takeIfThere(at: rate, now: 100 * second))
    }

    @Test func thoseInDebtArePaidForInTheirOrder() {
        let rate = TokenRate(perSecond: 1000, burst: 100)
        let bucket = TokenBucket()
        expect(bucket.take(100, at: rate, now: second) == nil)
        expect(bucket.take(500, at: rate, now: second) == second + second / 2)
        expect(bucket.take(500, at: rate, now: second) == second * 2)
        // Time pays.
        expect(bucket.take(100, at: rate, now: second * 2) == second * 2 + second / 10)
        expect(bucket.take(100, at: rate, now: second * 10) == nil)
    }

    /// Whatever is asked for when: never more than the rate and the burst; and whoever keeps
    /// asking gets nearly that.
    @Test func neverGivesTooMuch() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let perSecond = Int.random(in: 1...100_000, using: &random)
            let burst = Int.random(in: 1...1000, using: &random)
            let rate = TokenRate(perSecond: perSecond, burst: burst)
            let bucket = TokenBucket()
            let start = UInt64.random(in: 0...(second << 20), using: &random)
            let step = max(1, 2 * second / UInt64(perSecond))
            var (now, given) = (start, 0)
            for _ in 0..<500 {
                now += UInt64.random(in: 0...step, using: &random)
                while Int.random(in: 0..<4, using: &random) > 0,
                    bucket.takeIfThere(at: rate, now: now)
                { given += 1 }
                let seconds = Double(now - start) / Double(second)
                let most = seconds * Double(perSecond) + Double(burst)
                #expect(Double(given) <= most + 0.001, "seed \(seed)")
            }
            while bucket.takeIfThere(at: rate, now: now) { given += 1 }
            #expect(given >= burst, "seed \(seed)")
        }
    }

    /// Several who wait for their moments together get the rate, whatever the sizes of their
    /// pieces: a bucket may be in debt by one piece of each.
    @Test func waitersGetTheRateTogether() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let (perSecond, pieceMax) = (1 << 20, 1 << 16)
        let rate = TokenRate(perSecond: perSecond)
        let bucket = TokenBucket()
        var (moments, taken) = (Array(repeating: second, count: 5), Array(repeating: 0, count: 5))
        while let (number, now) = moments.enumerated().min(by: { $0.element < $1.element }),
            now < 21 * second
        {
            let piece = Int.random(in: 1...pieceMax, using: &random)
            taken[number] += piece
            moments[number] = bucket.take(piece, at: rate, now: now) ?? now
        }
        let sum = taken.reduce(0, +)
        #expect(sum >= 20 * perSecond, "seed \(seed)")
        #expect(sum <= 20 * perSecond + perSecond / 10 + 5 * pieceMax, "seed \(seed)")
        // Nobody is left behind.
        #expect(taken.allSatisfy { $0 > sum / 5 / 2 }, "seed \(seed): \(taken)")
    }

    @Test func threadsLoseNothing() throws {
        let rate = TokenRate(perSecond: 1000, burst: 1)
        let shared = Shared()
        let threads = try (0..<4).map { number in
            try Thread(name: "taker-\(number)") {
                for _ in 0..<10_000 { _ = shared.bucket.take(1, at: rate, now: 1) }
            }
        }
        for thread in threads { thread.join() }
        // 40 seconds' worth is gone, and one token more.
        expect(shared.bucket.take(1, at: rate, now: 1) == 1 + 40 * second)
    }

    private final class Shared: Sendable { let bucket = TokenBucket() }

    @Test func extremesAreTaken() {
        for perSecond in [1, Int.max] {
            let rate = TokenRate(perSecond: perSecond, burst: .max)
            let bucket = TokenBucket()
            for _ in 0..<3 { _ = bucket.take(.max, at: rate, now: .max - 1) }
            _ = bucket.takeIfThere(at: rate, now: .max)
        }
        let slow = TokenRate(perSecond: 1)
        let bucket = TokenBucket()
        for _ in 0..<3 { expect(bucket.take(.max, at: slow, now: 5) != nil) }
    }
}

struct AddressLedgerTests {
    private let second = UInt64.nanosecondsPerSecond

    private func address(_ number: Int) throws -> SocketAddress {
        try SocketAddress(parsing: "10.\(number >> 16).\(number >> 8 & 255).\(number & 255):9")
    }

    @Test func aSourceIsAnAddressOrANetwork() throws {
        let ledger = AddressLedger(clientsMax: 10, connectionsMax: 1)
        #expect(ledger.enter(try SocketAddress(parsing: "[2001:db8::1]:1"), now: 1) != nil)
        #expect(ledger.enter(try SocketAddress(parsing: "[2001:db8::2]:2"), now: 1) == nil)
        #expect(ledger.enter(try SocketAddress(parsing: "[2001:db8:0:1::1]:1"), now: 1) != nil)
        #expect(ledger.enter(try SocketAddress(parsing: "10.0.0.1:1"), now: 1) != nil)
        #expect(ledger.enter(try SocketAddress(parsing: "10.0.0.2:1"), now: 1) != nil)
        #expect(ledger.enter(try SocketAddress(parsing: "[::ffff:10.0.0.1]:1"), now: 1) == nil)
    }

    /// Against a model that remembers everybody: some come often, and far more others than there
    /// are places come once.
    @Test func nobodyIsForgottenTooEarly() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let rate = TokenRate(perSecond: 5, burst: 5)
        let ledger = AddressLedger(clientsMax: 25, connectionsMax: 3, rate: rate)
        var model = Array(repeating: ([AddressLedger.Place](), [UInt64]()), count: 8)
        var (now, refused) = (second, 0)
        for _ in 0..<50_000 {
            now += UInt64.random(in: 0...(second / 200), using: &random)
            let number = Int.random(in: 0..<16, using: &random)
            guard number < 8 else {
                let stranger = try address(Int.random(in: 8..<1_000_000, using: &random))
                if let place = ledger.admit(stranger, now: now) { ledger.leave(place) }
                continue
            }
            var (connections, admissions) = model[number]
            admissions.removeAll { $0 + second <= now }
            if Bool.random(using: &random), let place = connections.popLast() {
                ledger.leave(place)
            } else if let place = ledger.admit(try address(number), now: now) {
                #expect(connections.count < 3 && admissions.count < 10, "seed \(seed)")
                connections.append(place)
                admissions.append(now)
            } else {
                #expect(connections.count == 3 || admissions.count >= 4, "seed \(seed)")
                refused += connections.count < 3 ? 1 : 0
            }
            model[number] = (connections, admissions)
        }
        #expect(refused > 0, "seed \(seed)")
    }

    /// With every place taken further sources share one bucket, and get places again when buckets
    /// are full.
    @Test func aFullLedgerSharesOneBucket() throws {
        let rate = TokenRate(perSecond: 1, burst: 1)
        let ledger = AddressLedger(clientsMax: 2, rate: rate)
        let capacity = 2 * 2 + 4096
        for number in 0..<capacity {
            let place = ledger.admit(try address(number), now: second)
            #expect(place != nil)
            place.map(ledger.leave)
        }
        #expect(ledger.admit(try address(0), now: second) == nil)
        let shared = ledger.admit(try address(capacity), now: second)
        #expect(shared != nil)
        shared.map(ledger.leave)
        #expect(ledger.admit(try address(capacity + 1), now: second) == nil)
        for number in 0..<capacity {
            let place = ledger.admit(try address(1 << 20 + number), now: 2 * second)
            #expect(place != nil)
            place.map(ledger.leave)
        }
    }
}
