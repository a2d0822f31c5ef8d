// Numbers as people read them, above all where rounding takes one to the next unit.

import Report
import Testing

struct FiguresTests {
    @Test(arguments: [
        (0.0, "0 ns"), (0.25, "0.250 ns"), (1, "1 ns"), (999, "999 ns"), (1000, "1.00 us"),
        (1234, "1.23 us"), (51_200, "51.2 us"), (999_400, "999 us"), (999_600, "1.00 ms"),
        (1_234_567, "1.23 ms"), (42_000_000, "42.0 ms"), (999_960_000, "1.00 s"),
        (12_000_000_000, "12.0 s"), (100_000_000_000, "100 s"), (4_000_000_000_000, "4,000 s"),
    ])
    func durations(nanoseconds: Double, text: String) {
        #expect(Figures.duration(nanoseconds) == text)
    }

    @Test func aDurationHasTheMicroSignThatIsAskedFor() {
        #expect(Figures.duration(UInt64(51_200), micro: "\u{b5}") == "51.2 \u{b5}s")
    }

    @Test(arguments: [
        (0.0, "0/s"), (0.5, "0.500/s"), (42, "42.0/s"), (999.4, "999/s"), (999.6, "1.00 k/s"),
        (312_345, "312 k/s"), (999_949, "1.00 M/s"), (1_204_000, "1.20 M/s"), (3.2e9, "3.20 G/s"),
    ])
    func rates(perSecond: Double, text: String) {
        #expect(Figures.rate(perSecond) == text)
    }

    @Test(arguments: [
        (0.0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (12_800_000, "12.8 MB"),
        (1.5e9, "1.50 GB"),
    ])
    func bytes(count: Double, text: String) {
        #expect(Figures.bytes(count) == text)
        #expect(Figures.bytesPerSecond(count) == text + "/s")
    }

    @Test(arguments: [
        (0.0, "0"), (0.5, "0.500"), (0.0123, "0.0123"), (0.00999, "0.00999"), (1.204, "1.20"),
        (9.996, "10.0"), (-4.321, "-4.32"), (123.4, "123"), (99_960, "99,960"), (1e-9, "~0"),
        (.nan, "-"), (.infinity, "inf"), (-.infinity, "-inf"), (1e19, "1e+19"),
    ])
    func threeDigits(number: Double, text: String) {
        #expect(Figures.significant(number) == text)
    }

    @Test(arguments: [
        (UInt64(0), "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"),
        (UInt64.max, "18,446,744,073,709,551,615"),
    ])
    func counts(number: UInt64, text: String) {
        #expect(Figures.count(number) == text)
    }

    @Test func percentsAndPercentiles() {
        #expect(Figures.percent(0.042) == "4.2 %")
        #expect(Figures.percent(0.3842) == "38 %")
        #expect(Figures.percent(0.0996) == "10 %")
        #expect(Figures.percentile(50) == "p50")
        #expect(Figures.percentile(99.99) == "p99.99")
        #expect(Figures.decimal(-0.04, 1) == "0.0")
        #expect(Figures.decimal(1234.56, 1) == "1,234.6")
    }
}
