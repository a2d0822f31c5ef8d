// Figures: numbers as people read them. Three digits say as much as a measurement is worth; the
// unit keeps them short. Everything is worked out here, since FoundationEssentials has no formats
// and a report must not depend on the reader's locale.

/// Numbers as words for people.
public enum Figures {
    /// A duration, such as `850 ns`, `1.23 ms` or `12.0 s`.
    ///
    /// - Parameter micro: how a millionth is written; terminals get by with `u`.
    public static func duration(_ nanoseconds: Double, micro: String = "u") -> String {
        let units = [(1e9, "s"), (1e6, "ms"), (1e3, "\(micro)s")]
        for (factor, unit) in units where threeDigits(nanoseconds) >= factor {
            return "\(significant(nanoseconds / factor)) \(unit)"
        }
        guard nanoseconds >= 1 || nanoseconds == 0 else { return "\(significant(nanoseconds)) ns" }
        return "\(decimal(nanoseconds, 0)) ns"
    }

    /// A duration in whole nanoseconds.
    public static func duration(_ nanoseconds: UInt64, micro: String = "u") -> String {
        duration(Double(nanoseconds), micro: micro)
    }

    /// Events per second, such as `312 k/s`, `1.20 M/s` or `42.0/s`.
    public static func rate(_ perSecond: Double) -> String {
        let (number, prefix) = scaled(perSecond)
        return prefix.isEmpty ? "\(number)/s" : "\(number) \(prefix)/s"
    }

    /// Bytes per second, such as `12.8 MB/s`; a MB is 1,000,000 bytes.
    public static func bytesPerSecond(_ perSecond: Double) -> String { bytes(perSecond) + "/s" }

    /// Bytes, such as `1.50 GB`; a GB is 1,000,000,000 bytes.
    public static func bytes(_ count: Double) -> String {
        guard count >= 999.5 else { return "\(decimal(count, 0)) B" }
        let (number, prefix) = scaled(count)
        return "\(number) \(prefix)B"
    }

    /// A whole number with its thousands apart: `1,234,567`.
    public static func count(_ number: UInt64) -> String {
        let digits = String(number)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A share of one as percent: `4.2 %`, `38 %`.
    public static func percent(_ share: Double) -> String {
        let value = share * 100
        return "\(decimal(value, abs(value) < 9.95 ? 1 : 0)) %"
    }

    /// A name for a percentile: `p50`, `p99.9`.
    public static func percentile(_ percentile: Double) -> String { "p\(shortest(percentile))" }

    /// A number with three digits that count: `0.0123`, `1.23`, `123`, `12,300`.
    public static func significant(_ number: Double) -> String {
        guard number.isFinite else { return number.isNaN ? "-" : number < 0 ? "-inf" : "inf" }
        let magnitude = threeDigits(abs(number))
        guard magnitude > 0 else { return "0" }
        guard magnitude >= 1e-6 else { return "~0" }
        var digits = 2
        var mantissa = magnitude
        while mantissa >= 10, digits > 0 { (mantissa, digits) = (mantissa / 10, digits - 1) }
        while mantissa < 1, digits < 8 { (mantissa, digits) = (mantissa * 10, digits + 1) }
        return decimal(number, digits)
    }

    /// A number with so many digits behind the point, and its thousands apart.
    public static func decimal(_ number: Double, _ digits: Int) -> String {
        guard number.isFinite else { return number.isNaN ? "-" : number < 0 ? "-inf" : "inf" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (abs(number) * scale).rounded()
        // Beyond this a Double has no digit behind the point, and an integer no room.
        guard rounded < 9e18 else { return "\(number)" }
        let whole = UInt64(rounded)
        let sign = number < 0 && whole > 0 ? "-" : ""
        let text = sign + count(whole / UInt64(scale))
        guard digits > 0 else { return text }
        let fraction = String(whole % UInt64(scale))
        return text + "." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// A number without zeros that say nothing: `99.9`, `50`.
    static func shortest(_ number: Double) -> String {
        var text = decimal(number, 6)
        guard text.contains(".") else { return text }
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    /// What a number is once three digits are left of it: 999.96 is 1000, and takes the next unit.
    private static func threeDigits(_ number: Double) -> Double {
        guard number.isFinite, number > 0 else { return number }
        var divisor = 1.0
        while number / divisor >= 999.5 { divisor *= 10 }
        var factor = 1.0
        while number * factor < 99.95, factor < 1e12 { factor *= 10 }
        return (number / divisor * factor).rounded() * divisor / factor
    }

    private static func scaled(_ number: Double) -> (number: String, prefix: String) {
        for (factor, prefix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        where threeDigits(abs(number)) >= factor {
            return (significant(number / factor), prefix)
        }
        return (significant(number), "")
    }
}
