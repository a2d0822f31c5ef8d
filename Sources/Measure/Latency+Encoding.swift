// Latency+Encoding: a latency record in the form that HdrHistogram's tools exchange, compressed V2
// in base64. What is written here can be read and merged by any of them, and theirs by us, bucket
// for bucket. The forms are those of `encodeIntoCompressedByteBuffer` and `ZigZagEncoding` of the
// Java original:
//
//     compressed   cookie 0x1c849314, length, zlib of the payload
//     payload      cookie 0x1c849313, length, index offset, digits, lowest, highest, ratio, counts
//     counts       ZigZag LEB128 in up to 9 bytes; a negative one is a run of buckets with nothing
//
// The cookies are the forms' numbers with 0x10 added, and all numbers before the counts big-endian.

internal import CZlib
import Histogram

/// Why text is no latency record.
public struct LatencyEncodingError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension Latency {
    private static let compressedCookie: UInt32 = 0x1c84_9314
    private static let payloadCookie: UInt32 = 0x1c84_9313
    private static let headerBytes = 40
    /// The buckets below 2048 ns hold 1 ns each, and every 1024 that follow hold twice as much as
    /// those before: 3 digits.
    private static let bucketBits = 10
    /// More than a histogram of 3 digits up to 2^63 can take, and what a harmful log may take.
    private static let payloadBytesMax = 1 << 20

    /// The record as HdrHistogram's compressed V2 form in base64. `longest` is not part of it.
    public var encoded: String {
        let payload = self.payload
        var capacity = compressBound(UInt(payload.count))
        var bytes = [UInt8](repeating: 0, count: Int(capacity))
        let result = compress(&bytes, &capacity, payload, UInt(payload.count))
        precondition(result == Z_OK, "zlib had room enough and failed: \(result)")
        var message = BigEndian.bytes(of: Latency.compressedCookie)
        message += BigEndian.bytes(of: UInt32(capacity))
        message += bytes.prefix(Int(capacity))
        return Base64.encode(message)
    }

    /// The record that was encoded, count for count. `longest` is the end of the last bucket with
    /// anything in it, at most a thousandth more than what was recorded.
    public init(encoded: some StringProtocol) throws(LatencyEncodingError) {
        guard let message = Base64.decode(encoded) else {
            throw LatencyEncodingError("it is not base64")
        }
        guard message.count > 8,
            BigEndian.number(message, at: 0, UInt32.self) == Latency.compressedCookie
        else { throw LatencyEncodingError("it is not a compressed histogram of version 2") }
        let length = Int(BigEndian.number(message, at: 4, UInt32.self))
        guard length == message.count - 8 else {
            throw LatencyEncodingError("it has \(message.count - 8) bytes and claims \(length)")
        }
        var capacity = UInt(Latency.payloadBytesMax)
        var payload = [UInt8](repeating: 0, count: Latency.payloadBytesMax)
        let result = message.withUnsafeBufferPointer { bytes in
            uncompress(&payload, &capacity, bytes.baseAddress! + 8, UInt(length))
        }
        guard result == Z_OK else { throw LatencyEncodingError("zlib cannot read it (\(result))") }
        try self.init(payload: payload.prefix(Int(capacity)))
    }

    // ---- what is compressed ----

    var payload: [UInt8] {
        var counts: [UInt8] = []
        var next = 0
        for value in histogram.recordedValues() {
            let index = Latency.bucket(of: value.value)
            let empty = index - next
            // A single bucket with nothing is a count of 0, as in the original.
            if empty > 0 { ZigZag.append(empty == 1 ? 0 : -Int64(empty), to: &counts) }
            ZigZag.append(Int64(bitPattern: value.count), to: &counts)
            next = index + 1
        }
        if next == 0 { ZigZag.append(0, to: &counts) }
        var bytes = BigEndian.bytes(of: Latency.payloadCookie)
        bytes += BigEndian.bytes(of: UInt32(counts.count))
        bytes += BigEndian.bytes(of: UInt32(0))
        bytes += BigEndian.bytes(of: UInt32(3))
        bytes += BigEndian.bytes(of: UInt64(1))
        bytes += BigEndian.bytes(of: Latency.longestTrackable)
        bytes += BigEndian.bytes(of: (1.0).bitPattern)
        return bytes + counts
    }

    init(payload: ArraySlice<UInt8>) throws(LatencyEncodingError) {
        let bytes = Array(payload)
        guard bytes.count >= Latency.headerBytes else {
            throw LatencyEncodingError("it is cut short")
        }
        guard BigEndian.number(bytes, at: 0, UInt32.self) == Latency.payloadCookie else {
            throw LatencyEncodingError("what it has inside is not a histogram of version 2")
        }
        guard Int(BigEndian.number(bytes, at: 4, UInt32.self)) == bytes.count - Latency.headerBytes,
            BigEndian.number(bytes, at: 8, UInt32.self) == 0
        else { throw LatencyEncodingError("its counts are cut short, or shifted") }
        let digits = BigEndian.number(bytes, at: 12, UInt32.self)
        let lowest = BigEndian.number(bytes, at: 16, UInt64.self)
        guard digits == 3, lowest == 1 else {
            throw LatencyEncodingError(
                "its buckets are of \(digits) digits from \(lowest) on; only those of 3 digits "
                    + "from 1 on can be added up exactly"
            )
        }
        self.init()
        var place = Latency.headerBytes
        var index = 0
        let end = Latency.bucket(of: Latency.longestTrackable) + 1
        while place < bytes.count {
            guard let count = ZigZag.next(in: bytes, at: &place) else {
                throw LatencyEncodingError("its counts are cut short")
            }
            let (last, overflows) = index.addingReportingOverflow(
                count < 0 ? Int(clamping: count.magnitude) : 1
            )
            guard !overflows else { throw LatencyEncodingError("its counts have no end") }
            if count > 0 {
                guard index < end else {
                    throw LatencyEncodingError("it has durations above 100 s")
                }
                // The end of the bucket, as every tool shows it.
                longest =
                    index == end - 1
                    ? Latency.longestTrackable : Latency.value(ofBucket: index + 1) - 1
                record(longest, count: UInt64(count))
            }
            index = last
        }
    }

    /// The place of a duration's count.
    private static func bucket(of value: UInt64) -> Int {
        let power = max(0, UInt64.bitWidth - value.leadingZeroBitCount - bucketBits - 1)
        return power << bucketBits + Int(value >> power)
    }

    /// The shortest duration of a bucket.
    private static func value(ofBucket index: Int) -> UInt64 {
        let power = max(0, index >> bucketBits - 1)
        return UInt64(index - power << bucketBits) << power
    }
}

/// Numbers as the network has them.
private enum BigEndian {
    static func bytes(of number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    static func number<Number: FixedWidthInteger>(_ bytes: [UInt8], at place: Int, _: Number.Type)
        -> Number
    {
        bytes[place..<(place + MemoryLayout<Number>.size)].reduce(0) { $0 << 8 | Number($1) }
    }
}

/// Signed numbers in as few bytes as they need: seven bits to a byte from the lowest on, the eighth
/// says that more follow. The ninth byte has eight bits, so no number takes ten.
enum ZigZag {
    static func append(_ number: Int64, to bytes: inout [UInt8]) {
        var rest = UInt64(bitPattern: number << 1 ^ number >> 63)
        for _ in 0..<8 {
            guard rest >= 0x80 else { break }
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// The number at a place, which moves behind it; nil where it is cut short.
    static func next(in bytes: [UInt8], at place: inout Int) -> Int64? {
        var number: UInt64 = 0
        for position in 0..<9 {
            guard place < bytes.count else { return nil }
            let byte = UInt64(bytes[place])
            place += 1
            if position == 8 || byte < 0x80 {
                number |= byte << (7 * position)
                break
            }
            number |= (byte & 0x7f) << (7 * position)
        }
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }
}
