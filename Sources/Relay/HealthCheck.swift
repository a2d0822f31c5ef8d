// HealthCheck: how an upstream is asked whether it serves, and what a row of answers means.

import Net

/// What is asked of upstreams, and how often.
public struct HealthCheck: Equatable, Sendable {
    /// From the beginning of one check to the next; each is up to a tenth earlier, so that those of
    /// several relays do not stay together.
    public var intervalNanoseconds: UInt64
    /// How long an upstream has for its answer.
    public var timeoutNanoseconds: UInt64 = 2 * .nanosecondsPerSecond
    /// Checks in a row that have to succeed until an upstream that is down is up again.
    public var rise = 2
    /// Checks in a row that have to fail until an upstream that is up is down.
    public var fall = 3
    /// What it is sent once the connection stands.
    public var send: [UInt8] = []
    /// What its answer has to contain; where it is empty the connection itself is the answer.
    public var expect: [UInt8] = []

    /// How much of an answer is looked at.
    static let answerBytesMax = 16 * 1024

    /// Plain connects.
    public init(intervalNanoseconds: UInt64) { self.intervalNanoseconds = intervalNanoseconds }
}

/// Whether an upstream is up, by its last checks. It is at first.
struct Health {
    private(set) var isUp = true
    // Checks in a row that say the contrary.
    private var contrary = 0

    /// Notes the outcome of a check.
    ///
    /// - Returns: whether that changed anything.
    mutating func note(succeeded: Bool, _ check: HealthCheck) -> Bool {
        guard succeeded != isUp else {
            contrary = 0
            return false
        }
        contrary += 1
        guard contrary >= (isUp ? check.fall : check.rise) else { return false }
        isUp.toggle()
        contrary = 0
        return true
    }
}

/// One check under way or to come: a connect to each address in turn, what is sent, and what is
/// expected. It does not wait: whoever watches its descriptor tells it of changes.
struct Probe: ~Copyable {
    /// What came of a step.
    enum Outcome: Equatable {
        /// It goes on.
        case pending
        case succeeded
        /// Why not, in a few words.
        case failed(String)
    }

    private let check: HealthCheck
    private let addresses: [SocketAddress]
    /// How many addresses have been tried. With each the descriptor is another one, though perhaps
    /// of the same number.
    private(set) var addressNumber = 0
    private var isConnected = false
    private var sentCount = 0
    private var answer: [UInt8] = []
    private(set) var descriptor = Descriptor.none

    init(_ check: HealthCheck, _ addresses: [SocketAddress]) {
        self.check = check
        self.addresses = addresses
    }

    deinit { if descriptor != .none { descriptor.close() } }

    /// Connects to the next address.
    mutating func start() -> Outcome {
        var problem = "there is no address"
        while addressNumber < addresses.count {
            let address = addresses[addressNumber]
            addressNumber += 1
            switch open(address) {
            case nil: return .pending
            case let error?: problem = "\(error)"
            }
        }
        return .failed(problem)
    }

    private mutating func open(_ address: SocketAddress) -> Errno? {
        close()
        do throws(SystemError) {
            descriptor = try Socket.outgoing(address.family, from: nil)
        } catch {
            return error.code
        }
        // What the check has to say is known when it ends: nothing of it is left to linger.
        descriptor.resetOnClose()
        let error = withUnsafeTemporaryAllocation(
            byteCount: SocketAddress.storageBytes,
            alignment: 8
        ) { form in
            let byteCount = address.write(to: form.baseAddress!)
            return descriptor.startConnecting(to: form.baseAddress!, byteCount: byteCount)
        }
        return error == .inProgress ? nil : error
    }

    private mutating func close() {
        if descriptor != .none { descriptor.close() }
        descriptor = .none
        isConnected = false
        sentCount = 0
        answer = []
    }

    /// Something has changed on the descriptor.
    ///
    /// - Returns: `pending` also where it is another descriptor that is to be watched now.
    mutating func step() -> Outcome {
        if !isConnected {
            if let error = descriptor.takeSocketError() {
                let outcome = start()
                return outcome == .pending ? .pending : .failed("\(error)")
            }
            guard descriptor.peerAddress != nil else { return .pending }
            isConnected = true
        }
        if let problem = sendRest() { return .failed(problem) }
        guard sentCount == check.send.count else { return .pending }
        return check.expect.isEmpty ? .succeeded : readAnswer()
    }

    /// What it lacked when its time was over.
    var want: String {
        guard isConnected else { return "no connection in time" }
        return answer.isEmpty ? "no answer in time" : "another answer"
    }

    private mutating func sendRest() -> String? {
        while sentCount < check.send.count {
            let result = check.send.withUnsafeBytes { bytes in
                let piece = Piece(
                    bytes: bytes.baseAddress! + sentCount,
                    byteCount: bytes.count - sentCount
                )
                return withUnsafePointer(to: piece) {
                    descriptor.sendOnce(UnsafeBufferPointer(start: $0, count: 1))
                }
            }
            if result > 0 {
                sentCount += result
            } else {
                let error = Errno(rawValue: Int32(truncatingIfNeeded: -result))
                return error == .tryAgain ? nil : "\(error)"
            }
        }
        return nil
    }

    private mutating func readAnswer() -> Outcome {
        while true {
            var result = 0
            let piece = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                result = descriptor.receiveOnce(into: buffer.baseAddress!, byteCount: 4096)
                count = max(0, result)
            }
            answer += piece
            if contains(answer, check.expect) { return .succeeded }
            if answer.count > HealthCheck.answerBytesMax { return .failed("another answer") }
            guard result <= 0 else { continue }
            if result == 0 { return .failed(answer.isEmpty ? "no answer" : "another answer") }
            let error = Errno(rawValue: Int32(truncatingIfNeeded: -result))
            return error == .tryAgain ? .pending : .failed("\(error)")
        }
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        guard bytes.count >= part.count else { return false }
        return (0...bytes.count - part.count).contains { bytes[$0...].starts(with: part) }
    }
}
