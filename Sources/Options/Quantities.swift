// Sizes and durations as people write them: 64k, 1M, 10s, 250ms.

public import ArgumentParser

/// A number of bytes: digits, and k, M or G for 1024, 1024^2 or 1024^3.
public struct ByteSize: ExpressibleByArgument, Equatable, Sendable {
    /// How many.
    public var bytes: Int

    /// A number of bytes.
    public init(bytes: Int) { self.bytes = bytes }

    public init?(argument: String) {
        guard let (number, unit) = splitUnit(argument) else { return nil }
        let factors = ["": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        guard let factor = factors[unit.lowercased()] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        bytes = product
    }

    public var defaultValueDescription: String {
        for (factor, unit) in [(1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")]
        where bytes >= factor && bytes % factor == 0 {
            return "\(bytes / factor)\(unit)"
        }
        return "\(bytes)"
    }
}

/// A span of time: digits, and ns, us, ms, s, m or h.
public struct TimeSpan: ExpressibleByArgument, Equatable, Sendable {
    /// How long.
    public var nanoseconds: UInt64

    /// A span in nanoseconds.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// A span in seconds.
    public static func seconds(_ count: UInt64) -> TimeSpan {
        TimeSpan(nanoseconds: count * 1_000_000_000)
    }

    public init?(argument: String) {
        guard let (number, unit) = splitUnit(argument) else { return nil }
        let factors: [String: Int] = [
            "ns": 1, "us": 1000, "ms": 1_000_000, "s": 1_000_000_000,
            "m": 60_000_000_000, "h": 3_600_000_000_000,
        ]
        // A bare 0 needs no unit; any other bare number would be a guess.
        guard let factor = number == 0 && unit.isEmpty ? 1 : factors[unit] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        nanoseconds = UInt64(product)
    }

    public var defaultValueDescription: String {
        let units: [(UInt64, String)] = [
            (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"),
        ]
        for (factor, unit) in units where nanoseconds >= factor && nanoseconds % factor == 0 {
            return "\(nanoseconds / factor)\(unit)"
        }
        return "\(nanoseconds)ns"
    }
}

/// So many in a second: a number, and k or M for a thousand or a million, as rates are written.
public struct Rate: ExpressibleByArgument, Equatable, Sendable {
    /// How many in a second; above 0.
    public var perSecond: Double

    /// A rate above 0.
    public init(perSecond: Double) { self.perSecond = perSecond }

    public init?(argument: String) {
        let factors: [Character: Double] = ["k": 1e3, "m": 1e6]
        var digits = Substring(argument)
        var factor = 1.0
        if let last = argument.lowercased().last, let named = factors[last] {
            factor = named
            digits = digits.dropLast()
        }
        guard digits.first?.isNumber == true, let number = Double(digits), number.isFinite else {
            return nil
        }
        perSecond = number * factor
        guard perSecond > 0, perSecond <= 1e9 else { return nil }
    }

    public var defaultValueDescription: String { "\(perSecond)" }
}

/// A share of all: `5%`, or a number from 0 to 1.
public struct Share: ExpressibleByArgument, Equatable, Sendable {
    /// From 0 to 1.
    public var fraction: Double

    /// A share from 0 to 1.
    public init(fraction: Double) { self.fraction = fraction }

    public init?(argument: String) {
        let isPercent = argument.hasSuffix("%")
        guard argument.first?.isNumber == true,
            let number = Double(isPercent ? argument.dropLast() : Substring(argument))
        else { return nil }
        fraction = isPercent ? number / 100 : number
        guard (0...1).contains(fraction) else { return nil }
    }

    public var defaultValueDescription: String { fraction == 0 ? "0" : "\(fraction * 100)%" }
}

/// Splits `64k` into 64 and `k`; nil where there is no leading number.
private func splitUnit(_ text: String) -> (number: Int, unit: String)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    return (number, String(text[digits.endIndex...]))
}
