// UpstreamOptions: an upstream as it is written on the command line.

import Net

/// What the user says of an upstream.
public struct UpstreamOptions: Equatable, Sendable {
    /// As it was written, without the options behind it: `host:port`.
    public var target: String
    /// The host, a name or an address.
    public var host: String
    public var port: UInt16
    /// How often it is chosen beside others: from 1 to 256.
    public var weight = 1
    /// Whether it is used only where no other can be.
    public var isBackup = false
    /// Connections at once, of all workers together; 0 for any number.
    public var connectionsMax = 0

    /// The largest weight.
    public static let weightMax = 256

    /// An upstream with its options as they are by default.
    public init(target: String, host: String, port: UInt16) {
        self.target = target
        self.host = host
        self.port = port
    }

    /// Reads `10.0.0.1:80,weight=3,backup,max-connections=100`.
    public init(parsing text: String) throws(UpstreamOptionsError) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let (host, port) = try UpstreamOptions.place(parts[0])
        self.init(target: parts[0], host: host, port: port)
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? String(pair[1]) : nil
            switch (String(pair[0]), value) {
            case ("backup", nil): isBackup = true
            case ("weight", let value?):
                weight = try UpstreamOptions.number(value, part, 1...UpstreamOptions.weightMax)
            case ("max-connections", let value?):
                connectionsMax = try UpstreamOptions.number(value, part, 1...10_000_000)
            default:
                throw UpstreamOptionsError(
                    "'\(part)' is none of weight=N, backup and max-connections=N"
                )
            }
        }
    }

    private static func place(_ text: String) throws(UpstreamOptionsError) -> (String, UInt16) {
        let (host, port): (String, UInt16)
        do throws(AddressError) {
            (host, port) = try SocketAddress.splitHostAndPort(text)
        } catch {
            throw UpstreamOptionsError("\(error)")
        }
        guard port > 0 else { throw UpstreamOptionsError("'\(text)' has no port above 0") }
        return (host, port)
    }

    private static func number(
        _ text: String,
        _ part: String,
        _ range: ClosedRange<Int>
    ) throws(UpstreamOptionsError) -> Int {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text),
            range.contains(number)
        else {
            throw UpstreamOptionsError(
                "'\(part)' has to be a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}

/// What is wrong with an upstream as it was written.
public struct UpstreamOptionsError: Error, Equatable, CustomStringConvertible {
    /// In one line.
    public let description: String

    init(_ description: String) { self.description = description }
}
