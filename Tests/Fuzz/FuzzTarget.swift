// FuzzTarget: what arbitrary bytes are thrown at, by libFuzzer (`make fuzz`) and, from the kept
// corpus alone, by the unit tests. A target finds fault by throwing a `Disproof`, or by a trap or a
// sanitizer's complaint in what it calls.

/// Everything that is fuzzed. A target's corpus lies in the folder of its name.
enum FuzzTarget: String, CaseIterable, Sendable {
    case address
    case size
    case sizeDistribution
    case rate
    case share
    case sourceList
    case gate
    case latencyLimit
    case histogramLog
    case timeSpan
    case workerCount
    case keepalive
    case upstreamOptions
    case escapedText
    case addressPrefix
    case accessList
    case proxyLine
    case proxyBinary
    case echoCommand
    case loadCommand
    case configuration
    case token
    case outbox
    case connectionTable
    case slotQueue
    case timerWheel

    /// Runs it once.
    func run(_ bytes: [UInt8]) throws {
        switch self {
        case .address: try checkAddress(String(decoding: bytes, as: UTF8.self))
        case .size: try checkSize(String(decoding: bytes, as: UTF8.self))
        case .sizeDistribution: try checkSizeDistribution(String(decoding: bytes, as: UTF8.self))
        case .rate: try checkRate(String(decoding: bytes, as: UTF8.self))
        case .share: try checkShare(String(decoding: bytes, as: UTF8.self))
        case .sourceList: try checkSourceList(String(decoding: bytes, as: UTF8.self))
        case .gate: try checkGate(String(decoding: bytes, as: UTF8.self))
        case .latencyLimit: try checkLatencyLimit(String(decoding: bytes, as: UTF8.self))
        case .histogramLog: try checkHistogramLog(String(decoding: bytes, as: UTF8.self))
        case .timeSpan: try checkTimeSpan(String(decoding: bytes, as: UTF8.self))
        case .workerCount: try checkWorkerCount(String(decoding: bytes, as: UTF8.self))
        case .keepalive: try checkKeepalive(String(decoding: bytes, as: UTF8.self))
        case .upstreamOptions: try checkUpstreamOptions(String(decoding: bytes, as: UTF8.self))
        case .escapedText: try checkEscapedText(String(decoding: bytes, as: UTF8.self))
        case .addressPrefix: try checkAddressPrefix(String(decoding: bytes, as: UTF8.self))
        case .accessList: try checkAccessList(String(decoding: bytes, as: UTF8.self))
        case .proxyLine, .proxyBinary: try checkProxyHeader(bytes)
        case .echoCommand: try checkEchoCommand(arguments(bytes))
        case .loadCommand: try checkLoadCommand(arguments(bytes))
        case .configuration: try checkConfiguration(String(decoding: bytes, as: UTF8.self))
        case .token: try checkToken(Choices(bytes))
        case .outbox: try checkOutbox(Choices(bytes))
        case .connectionTable: try checkConnectionTable(Choices(bytes))
        case .slotQueue: try checkSlotQueue(Choices(bytes))
        case .timerWheel: try checkTimerWheel(Choices(bytes))
        }
    }

    /// A command line: one argument in each line, so that the corpus can be read. No argument of a
    /// process has a zero in it.
    private func arguments(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}

/// What should hold, and did not.
struct Disproof: Error, CustomStringConvertible {
    let claim: String
    let line: Int

    var description: String { "it does not hold that \(claim) (line \(line))" }
}

/// Throws unless something holds.
func demand(
    _ isSo: Bool,
    _ claim: @autoclosure () -> String,
    line: Int = #line
) throws {
    guard isSo else { throw Disproof(claim: claim(), line: line) }
}

/// The input as a sequence of choices, for the targets that are a model.
struct Choices {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var areLeft: Bool { position < bytes.count }

    /// The next byte; 0 behind the end.
    mutating func byte() -> UInt8 {
        guard areLeft else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    /// A number from 0 up to a limit of at most 256.
    mutating func below(_ limit: Int) -> Int { Int(byte()) % limit }

    /// The next eight bytes.
    mutating func word() -> UInt64 {
        (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) }
    }
}
