// Logs of histograms: that they say exactly what was recorded, here and to other tools, also after
// merging and after a kill; and that a reader of a broken log is told where it is broken.

import Glibc
import Histogram
import Testing

@testable import Measure

/// A file that is gone afterwards.
func withFile<Result>(_ name: String, _ body: (String) throws -> Result) rethrows -> Result {
    let path = "/tmp/ringback-measure-\(getpid())-\(name)"
    defer { unlink(path) }
    return try body(path)
}

struct LatencyEncodingTests {
    private func random(_ seed: UInt64, values: Int) -> Latency {
        var random = SplitMix64(seed: seed)
        var latency = Latency()
        for _ in 0..<values { latency.record(random.next() >> (28 + random.next() % 36)) }
        return latency
    }

    @Test(arguments: [0, 1, 2, 100, 100_000]) func comesBackAsItWas(values: Int) throws {
        let latency = random(UInt64(values), values: values)
        var decoded = try Latency(encoded: latency.encoded)
        #expect(decoded.histogram == latency.histogram)
        #expect(decoded.encoded == latency.encoded)
        #expect(decoded.longest >= latency.longest)
        #expect(Double(decoded.longest) <= Double(latency.longest) * 1.001 + 1)
        decoded.longest = latency.longest
        #expect(decoded == latency)
    }

    @Test func takesTheEndsOfTheRange() throws {
        var latency = Latency()
        for value in [1, 2, 2047, 2048, 2049, 4096, UInt64.max] { latency.record(value) }
        let decoded = try Latency(encoded: latency.encoded)
        #expect(decoded.histogram == latency.histogram)
        #expect(decoded.longest == 100_000_000_000)
    }

    /// The bytes under the compression. The Java original writes a single bucket with nothing as a
    /// count of 0, the Python implementation as a run of one; both are read.
    @Test func theBytesAreThoseOfTheOriginal() throws {
        var latency = Latency()
        for (value, count) in [(1, 1), (3, 2), (2050, 70)] as [(UInt64, UInt64)] {
            for _ in 0..<count { latency.record(value) }
        }
        let header: [UInt8] = [
            0x1c, 0x84, 0x93, 0x13, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1,
            0, 0, 0, 23, 72, 118, 232, 0, 63, 240, 0, 0, 0, 0, 0, 0,
        ]
        #expect(latency.payload == header + [0, 2, 0, 4, 249, 31, 140, 1])
        let other = try Latency(payload: (header + [1, 2, 1, 4, 249, 31, 140, 1])[...])
        #expect(other.histogram == latency.histogram)
        #expect(latency.encoded.hasPrefix("HISTFAAAA"))
    }

    /// The forms of the counts, as in the original's tests of its ZigZagEncoding.
    @Test func numbersTakeUpToNineBytes() {
        let sizes: [(Int64, Int)] = [
            (0, 1), (-1, 1), (63, 1), (-64, 1), (64, 2), (-65, 2), (1 << 40, 6), (.max, 9),
            (.min, 9),
        ]
        for (number, size) in sizes {
            var bytes: [UInt8] = []
            ZigZag.append(number, to: &bytes)
            #expect(bytes.count == size)
            var place = 0
            #expect(ZigZag.next(in: bytes, at: &place) == number)
            #expect(place == size)
            place = 0
            #expect(ZigZag.next(in: bytes.dropLast(), at: &place) == nil)
        }
        var bytes: [UInt8] = []
        ZigZag.append(-2, to: &bytes)
        ZigZag.append(150, to: &bytes)
        #expect(bytes == [0x03, 0xac, 0x02])
    }

    /// The vectors of RFC 4648, section 10.
    @Test func base64IsThatOfTheStandard() {
        let vectors = [
            "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==",
            "fooba": "Zm9vYmE=", "foobar": "Zm9vYmFy",
        ]
        for (plain, text) in vectors {
            #expect(Base64.encode(Array(plain.utf8)) == text)
            #expect(Base64.decode(text) == Array(plain.utf8))
        }
        for wrong in ["Z", "Zg=", "Zh==", "Zg==Zg==", "Zm9*", "===="] {
            #expect(Base64.decode(wrong) == nil, "\(wrong)")
        }
    }

    /// Whatever is changed, a record comes back or an error does; nothing traps.
    @Test func survivesDamage() {
        var generator = SplitMix64(seed: 11)
        let bytes = Base64.decode(random(1, values: 300).encoded)!
        var refused = 0
        for _ in 0..<300 {
            var damaged = bytes
            damaged[generator.index(below: bytes.count)] ^= UInt8(1 << generator.index(below: 8))
            if generator.index(below: 4) == 0 { damaged.removeLast(generator.index(below: 50)) }
            if (try? Latency(encoded: Base64.encode(damaged))) == nil { refused += 1 }
        }
        #expect(refused == 300)
    }
}

struct HistogramLogTests {
    /// Made with the Python implementation hdrhistogram 0.10.8; the figures are its own.
    private let reference =
        #filePath.split(separator: "/").dropLast()
        .reduce("") { "\($0)/\($1)" } + "/reference.hlog"

    @Test func readsWhatAnotherToolWrote() throws {
        let log = try HistogramLog(file: reference)
        #expect(log.startNanoseconds == 1_764_079_385_250_000_000)
        #expect(log.comments == ["[Logged with hdrhistogram 0.10.8]"])
        #expect(log.tags == [nil, "service"])
        #expect(log.intervals.map(\.latency.count) == [1_099_511_637_780, 7, 0])
        #expect(log.intervals[0].startNanoseconds == 1_764_079_385_251_000_000)
        #expect(log.intervals[0].lengthNanoseconds == 1_000_000_000)
        let first = log.intervals[0].latency
        #expect(first.histogram.countForValue(2048) == 1 << 40)
        #expect(first.histogram.countForValue(2047) == 1)
        #expect(first.histogram.countForValue(1) == 3)
        #expect(first.histogram.countForValue(5_000_000) == 4)
        #expect(first.value(atPercentile: 50) == 2049)
        #expect(first.value(atPercentile: 100) == 10_002_431)
        #expect(log.intervals[1].latency.value(atPercentile: 50) == 123_469_823)
        #expect(log.intervals[1].tag == "service")
    }

    private func sample() -> HistogramLog {
        var log = HistogramLog(startNanoseconds: 1_764_079_385_250_001_000, comments: ["[a run]"])
        for second in 0..<3 as Range<UInt64> {
            var latency = Latency()
            for value in 1...1000 as ClosedRange<UInt64> { latency.record(value * (second + 77)) }
            for tag in [nil, "service"] {
                log.intervals.append(
                    HistogramInterval(
                        startNanoseconds: log.startNanoseconds + second * 1_000_000_000,
                        lengthNanoseconds: 1_000_000_000,
                        tag: tag,
                        latency: latency,
                        counters: ["messages": 1000, "bytes": 64_000 + second, "errors": second]
                    )
                )
            }
        }
        return log
    }

    @Test func writesWhatItReads() throws {
        let log = sample()
        #expect(try HistogramLog(parsing: log.text, file: "a.hlog") == log)
        let crossed = log.text.split(separator: "\n").joined(separator: "\r\n") + "\r\n"
        #expect(try HistogramLog(parsing: crossed, file: "a.hlog") == log)
    }

    @Test func aKilledRunLeavesItsIntervals() throws {
        try withFile("killed.hlog") { path in
            let log = sample()
            let writer = try HistogramLogWriter(
                path: path,
                startNanoseconds: log.startNanoseconds,
                comments: log.comments
            )
            for (index, interval) in log.intervals.enumerated() {
                try writer.append(interval)
                // The writer is still open: this is what a kill would leave.
                let found = try HistogramLog(file: path)
                #expect(found.intervals == Array(log.intervals[...index]))
            }
        }
        let cut = try HistogramLog(parsing: String(sample().text.dropLast(20)), file: "cut.hlog")
        #expect(cut.isCutShort)
        #expect(cut.intervals == Array(sample().intervals.dropLast()))
    }

    @Test func saysWhereALogIsBroken() throws {
        func cause(_ text: String) -> String {
            do throws(HistogramLogError) {
                _ = try HistogramLog(parsing: text, file: "b.hlog")
                return "none"
            } catch { return "\(error)" }
        }
        let legend = HistogramLog.legend + "\n"
        #expect(cause("hello\n") == "b.hlog:1: an interval has 4 fields, and this line has 1")
        #expect(cause("") == "b.hlog: it is no histogram log")
        #expect(
            cause(legend + "1,2,3,HIST\n")
                == "b.hlog:2: it is not a compressed histogram of version 2"
        )
        #expect(cause(legend + "1,2,3,H\n") == "b.hlog:2: it is not base64")
        #expect(cause(legend + "x,2,3,H\n") == "b.hlog:2: x,2 is no start and length in seconds")
        #expect(cause("#[StartTime: -4 (s)]\n") == "b.hlog:1: -4 is no time in seconds")
        #expect(
            cause("#[ringload messages=-1]\n")
                == "b.hlog:1: messages=-1 is no total, such as messages=100"
        )
        #expect(
            throws: HistogramLogError(
                file: "/tmp/there/is/none",
                cause: "it cannot be read: No such file or directory"
            )
        ) { try HistogramLog(file: "/tmp/there/is/none") }
        #expect(throws: HistogramLogError.self) {
            try HistogramLogWriter(path: "/tmp/there/is/none", startNanoseconds: 0)
        }
    }

    @Test func refusesOtherBuckets() throws {
        // Two digits from 1 on, with nothing in it: hdrhistogram 0.10.8.
        let other = "HISTFAAAAB14nJNpmSzMgABMUJoRiMU9yl4w2H+ACAAATK0ENg=="
        #expect(
            throws: LatencyEncodingError(
                "its buckets are of 2 digits from 1 on; only those of 3 digits from 1 on can be "
                    + "added up exactly"
            )
        ) { try Latency(encoded: other) }
    }

    // ---- merging ----

    @Test func mergingLosesNothing() throws {
        let log = sample()
        var other = log
        for index in other.intervals.indices {
            other.intervals[index].startNanoseconds += 300_000_000
        }
        let (merged, warnings) = HistogramLog.merging([
            NamedHistogramLog(name: "A.hlog", log: log),
            NamedHistogramLog(name: "B.hlog", log: other),
        ])
        #expect(warnings == [])
        #expect(merged.tags == [nil, "service"])
        #expect(merged.intervals.count == 6)
        for (sum, part) in zip(merged.intervals, log.intervals) {
            var twice = part.latency
            twice.add(part.latency)
            #expect(sum.latency == twice)
            #expect(sum.counters == part.counters.mapValues { 2 * $0 })
            #expect(sum.lengthNanoseconds == 1_000_000_000)
            #expect(sum.tag == part.tag)
        }
        let total = try #require(merged.total())
        #expect(total.latency.count == 6000)
        #expect(total.counters == ["messages": 6000, "bytes": 384_006, "errors": 6])
        #expect(try HistogramLog(parsing: merged.text, file: "m").total()?.latency == total.latency)
        #expect(merged.total(tag: "none") == nil)
    }

    @Test func warnsOfTimesThatDoNotFit() {
        let log = sample()
        var later = log
        for index in later.intervals.indices {
            later.intervals[index].startNanoseconds += 60_000_000_000
        }
        func warnings(_ others: HistogramLog...) -> [String] {
            let named = ([log] + others).enumerated().map { index, log in
                NamedHistogramLog(name: "\(index).hlog", log: log)
            }
            return HistogramLog.merging(named).warnings
        }
        #expect(
            warnings(later) == [
                "0.hlog (2025-11-25T14:03:05Z to 2025-11-25T14:03:08Z) and 1.hlog "
                    + "(2025-11-25T14:04:05Z to 2025-11-25T14:04:08Z) do not overlap: the runs "
                    + "were not at the same time, or a clock is wrong"
            ]
        )
        #expect(warnings(log) == ["0.hlog and 1.hlog are the same log"])
        var shorter = log
        shorter.intervals.removeLast(2)
        shorter.intervals[0].counters["messages"] = 1
        #expect(
            warnings(shorter) == ["0.hlog: 2 of its intervals of 1 s are in no other log"]
        )
        #expect(warnings(HistogramLog(startNanoseconds: 0)) == ["1.hlog has no intervals"])
    }
}
