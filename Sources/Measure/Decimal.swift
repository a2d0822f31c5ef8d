// Decimal: numbers as text and back without Foundation, which this room does without. Times go
// through whole nanoseconds, since a Double cannot hold a time since 1970 to the nanosecond.

import Glibc

/// Numbers with a fixed count of digits behind the point.
enum Decimal {
    /// A number with so many digits behind the point, rounded; `-` for what is not a number.
    static func text(_ number: Double, places: Int) -> String {
        let scaled = (abs(number) * pow(10, Double(places))).rounded()
        guard scaled.isFinite, scaled < 9e18 else { return number.isFinite ? "\(number)" : "-" }
        let digits = fixed(UInt64(scaled), places: places)
        return number < 0 && scaled > 0 ? "-" + digits : digits
    }

    /// Nanoseconds as seconds with six digits behind the point, rounded down.
    static func seconds(_ nanoseconds: UInt64) -> String { fixed(nanoseconds / 1000, places: 6) }

    /// Nanoseconds as milliseconds with three digits behind the point, rounded down.
    static func milliseconds(_ nanoseconds: UInt64) -> String {
        fixed(nanoseconds / 1000, places: 3)
    }

    /// Seconds such as `1764079385.25` as nanoseconds; nil where the text is no such number.
    static func nanoseconds(ofSeconds text: some StringProtocol) -> UInt64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, let seconds = digits(whole) else {
            return nil
        }
        var nanoseconds: UInt64 = 0
        if parts.count == 2 {
            let places = parts[1].prefix(9)
            guard !places.isEmpty, let fraction = digits(places), digits(parts[1].suffix(9)) != nil
            else { return nil }
            nanoseconds = (places.count..<9).reduce(fraction) { value, _ in value * 10 }
        }
        let (product, isTooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflows) = product.addingReportingOverflow(nanoseconds)
        return isTooLarge || overflows ? nil : sum
    }

    /// A whole number of digits alone.
    static func digits(_ text: some StringProtocol) -> UInt64? {
        text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? UInt64(text) : nil
    }

    /// `value` by ten to the power of `places`.
    private static func fixed(_ value: UInt64, places: Int) -> String {
        let digits = String(value)
        guard places > 0 else { return digits }
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        return "\(padded.dropLast(places)).\(padded.suffix(places))"
    }
}
