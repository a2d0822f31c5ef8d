// The keyed stream and the verdict on what is not of it.

import Testing

@testable import Load

struct KeyedStreamTests {
    private let key: UInt64 = 0x1234_5678_9abc_def0

    private func bytes(_ connection: UInt32, from offset: UInt64, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes {
            var span = $0.mutableBytes
            KeyedStream(connection: connection, key: key).fill(&span, count: count, from: offset)
        }
        return bytes
    }

    private func mismatch(_ connection: UInt32, _ bytes: [UInt8], from offset: UInt64) -> Int? {
        bytes.withUnsafeBytes {
            KeyedStream(connection: connection, key: key)
                .firstMismatch(in: $0.bytes, from: offset)
        }
    }

    @Test func isTheSameHoweverItIsCut() {
        let whole = bytes(3, from: 0, count: 1000)
        for _ in 0..<200 {
            let offset = Int.random(in: 0..<900)
            let count = Int.random(in: 0...100)
            let part = bytes(3, from: UInt64(offset), count: count)
            #expect(part == Array(whole[offset..<(offset + count)]))
            #expect(mismatch(3, part, from: UInt64(offset)) == nil)
        }
    }

    @Test func findsTheFirstWrongByte() {
        for position in 0..<64 {
            var wrong = bytes(3, from: 5, count: 64)
            wrong[position] ^= 1
            #expect(mismatch(3, wrong, from: 5) == position)
        }
    }

    @Test func everyWordKnowsWhereItIsFrom() {
        for _ in 0..<1000 {
            let connection = UInt32.random(in: 0..<(1 << 24))
            let offset = UInt64.random(in: 0..<(1 << 40)) / 8 * 8
            var word: UInt64 = 0
            for (index, byte) in bytes(connection, from: offset, count: 8).enumerated() {
                word |= UInt64(byte) << (8 * UInt64(index))
            }
            let origin = KeyedStream.origin(ofWord: word, key: key)
            #expect(origin.connection == connection)
            #expect(origin.offset == offset)
        }
    }

    /// The verdict on connection 3, which expected offset 1000 and got these bytes.
    private func judge(_ found: [UInt8]) -> Integrity {
        let stream = KeyedStream(connection: 3, key: key)
        var evidence = Evidence(stream: stream, offset: 1000)
        found.withUnsafeBytes { evidence.add($0.bytes) }
        return evidence.judge(byteCount: UInt64(found.count), key: key) { $0 < 10 ? 100_000 : nil }
    }

    @Test func tellsFaultsApartAndNamesTheirPlace() {
        for shift in 0..<16 {
            let gap = UInt64(shift + 1)
            let lost = judge(bytes(3, from: 1000 + gap, count: 15))
            #expect(lost.lost == gap)
            #expect(lost.firstFault == "connection 3, offset 1000: \(gap) bytes are missing")

            let foreign = judge(bytes(7, from: 555 + gap, count: 15))
            #expect(foreign.foreign == 15)
            #expect(
                foreign.firstFault
                    == "connection 3, offset 1000: bytes of connection 7, offset \(555 + gap)"
            )

            let again = judge(bytes(3, from: 1000 - gap, count: 15))
            #expect(again.reordered == 15)
        }
        for gap in [8, 40, 1000, 30_000] {
            let overtaken = bytes(3, from: 1000 + UInt64(gap), count: 2000)
            let late = judge(overtaken + bytes(3, from: 1000, count: gap))
            #expect(late.reordered == UInt64(gap))
            #expect(late.lost == 0)
            let never = judge(overtaken + bytes(3, from: 3000 + UInt64(gap), count: gap))
            #expect(never.lost == UInt64(gap))
        }
        let noise = judge([UInt8](repeating: 0xab, count: 15))
        #expect(noise.foreign == 15)
        #expect(
            noise.firstFault == "connection 3, offset 1000: bytes that no connection has sent"
        )
    }
}
