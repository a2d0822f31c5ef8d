// Sizes and durations as people write them.

import Options
import Testing

struct QuantitiesTests {
    @Test(arguments: [
        ("0", 0), ("64", 64), ("64k", 65536), ("64K", 65536), ("1M", 1 << 20), ("2g", 2 << 30),
    ])
    func readsSizes(_ text: String, _ bytes: Int) {
        #expect(ByteSize(argument: text)?.bytes == bytes)
    }

    @Test(arguments: ["", "k", "-1", "1.5k", "64kk", "9223372036854775807k", "64 k", "x"])
    func refusesSizes(_ text: String) {
        #expect(ByteSize(argument: text) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("5ns", 5), ("10us", 10_000), ("250ms", 250_000_000), ("10s", 10_000_000_000),
        ("2m", 120_000_000_000), ("1h", 3_600_000_000_000),
    ])
    func readsDurations(_ text: String, _ nanoseconds: UInt64) {
        #expect(TimeSpan(argument: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: ["", "10", "s", "-1s", "1.5s", "10 s", "10x", "9999999999h"])
    func refusesDurations(_ text: String) {
        #expect(TimeSpan(argument: text) == nil)
    }

    @Test func readsRates() {
        #expect(Rate(argument: "1500")?.perSecond == 1500)
        #expect(Rate(argument: "0.5")?.perSecond == 0.5)
        #expect(Rate(argument: "20k")?.perSecond == 20_000)
        #expect(Rate(argument: "1.5M")?.perSecond == 1_500_000)
        for text in ["", "k", "0", "-1", "1g", "nan", "inf", "1e12", " 1", "1 k"] {
            #expect(Rate(argument: text) == nil, "\(text)")
        }
    }

    @Test func readsShares() {
        #expect(Share(argument: "5%")?.fraction == 0.05)
        #expect(Share(argument: "0.25")?.fraction == 0.25)
        #expect(Share(argument: "100%")?.fraction == 1)
        for text in ["", "%", "-1%", "101%", "1.1", "x", "5 %"] {
            #expect(Share(argument: text) == nil, "\(text)")
        }
    }

    @Test func writesDefaultsAsPeopleDo() {
        #expect(ByteSize(bytes: 65536).defaultValueDescription == "64k")
        #expect(TimeSpan.seconds(10).defaultValueDescription == "10s")
        #expect(TimeSpan(nanoseconds: 1500).defaultValueDescription == "1500ns")
    }
}
