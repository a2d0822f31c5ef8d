// RuleProgram: the programs of the kernel's rules. Each is written once, for any ring and any host,
// and notes what it sees; it judges nothing.

import Net
import Simulation
import URing

/// A machine on which a program runs: what is not the ring.
protocol RuleHost {
    associatedtype Peer: RulePeer

    /// What clients connect to.
    var listener: Descriptor { get }
    /// A client that waits in the listener's queue.
    func connect() throws -> Peer
    /// No new descriptor can be had until `allowDescriptors`.
    func forbidDescriptors()
    func allowDescriptors()
}

/// The other end of a connection.
protocol RulePeer {
    /// Sends the next bytes of its stream.
    func send(_ byteCount: Int) throws
    /// Reads what is there.
    func read(atMost byteCount: Int) throws
    /// How much it has read.
    var readCount: Int { get }
    /// Whether that was what it sent, from the beginning on.
    var isInOrder: Bool { get }
    /// Whether memory holds its stream from a place on.
    func hasSent(_ bytes: UnsafeRawPointer, byteCount: Int, from position: Int) -> Bool
    /// How the connection ended, as it has found by reading; nil while it goes on.
    var end: PeerEnd? { get }
}

enum PeerEnd {
    case finished
    case reset
}

/// A ring, a host, and what was seen.
struct RuleProgram<R: Ring & ~Copyable, H: RuleHost>: ~Copyable {
    private var ring: R
    private let host: H
    private let setting: RuleSetting
    /// The buffers' memory, and behind it room for a stream.
    private let memory: UnsafeMutableRawPointer
    private var seen: Set<Sighting> = []
    /// The bytes received so far, behind the buffers.
    private var received = 0

    private static var group: BufferGroup { BufferGroup(rawValue: 0) }
    private static var streamBytesMax: Int { 16 * 16384 }
    /// Long enough for whatever is going to come.
    private static var patience: UInt64 { 20 * .nanosecondsPerMillisecond }

    /// - Parameter memory: `byteCount` bytes that outlive the program.
    init(
        ring: consuming R,
        host: H,
        setting: RuleSetting,
        memory: UnsafeMutableRawPointer
    ) throws {
        var ring = ring
        try ring.openGroup(Self.group, entries: setting.bufferCount)
        self.ring = ring
        self.host = host
        self.setting = setting
        self.memory = memory
    }

    /// The memory that a program needs.
    static func byteCount(_ setting: RuleSetting) -> Int {
        setting.bufferCount * setting.bufferBytes + streamBytesMax
    }

    /// Runs the program of a rule.
    mutating func run(_ rule: KernelRule) throws -> Set<Sighting> {
        switch rule {
        case .receiveWithoutBuffers: try receiveWithoutBuffers()
        case .receiveIntoFullQueue: try receiveIntoFullQueue()
        case .overflow: overflow()
        case .severalSends: try send(atOnce: 16)
        case .oneSendAtATime: try send(atOnce: 1)
        case .closeUnderReceive: try closeUnderReceive()
        case .shutdownUnderReceive: try shutdownUnderReceive()
        case .acceptWithoutDescriptors: try acceptWithoutDescriptors()
        case .acceptIntoFullTable: try acceptIntoFullTable()
        }
        return seen
    }

    // ---- what programs are made of ----

    private func token(_ number: Int) -> Token { Token(operation: 1, slot: UInt32(number)) }

    private mutating func note(_ sighting: Sighting, if isSeen: Bool) {
        if isSeen { seen.insert(sighting) }
    }

    /// What comes of one enter that does not wait.
    private mutating func atOnce() -> [Completion] {
        _ = ring.enter(waitingFor: 0, forAtMost: nil)
        return reap()
    }

    private mutating func reap() -> [Completion] {
        var all: [Completion] = []
        while let completion = ring.nextCompletion() { all.append(completion) }
        return all
    }

    /// Everything that comes.
    private mutating func completions() -> [Completion] {
        var all: [Completion] = []
        while true {
            _ = ring.enter(waitingFor: 1, forAtMost: Self.patience)
            let some = reap()
            if some.isEmpty { return all }
            all += some
        }
    }

    /// A client, and the descriptor of its connection.
    private mutating func connection() throws -> (peer: H.Peer, descriptor: Descriptor) {
        let peer = try host.connect()
        return (peer, try ring.acceptQueued(host.listener).get())
    }

    private mutating func provide(_ numbers: Range<Int>) {
        for number in numbers {
            let buffer = ProvidedBuffer(
                id: UInt16(number),
                bytes: memory + number * setting.bufferBytes,
                byteCount: setting.bufferBytes
            )
            ring.provide(buffer, to: Self.group)
        }
    }

    private mutating func receive(_ descriptor: Descriptor) {
        ring.submit(.receiveMultishot(descriptor, into: Self.group), token: token(1))
    }

    private var stream: UnsafeMutableRawPointer {
        memory + setting.bufferCount * setting.bufferBytes
    }

    /// Puts what a completion brought behind what came before; returns the buffer.
    private mutating func keep(_ completion: Completion) -> Int? {
        guard let number = completion.bufferID.map({ Int($0) }) else { return nil }
        let byteCount = Int(completion.result)
        let start = memory + number * setting.bufferBytes
        (stream + received).copyMemory(from: start, byteCount: byteCount)
        received += byteCount
        return number
    }

    /// Receives until so much has come or nothing more does, and begins anew where that ends.
    /// Returns how often it ended after bytes.
    private mutating func receiveAll(_ byteCount: Int, from descriptor: Descriptor) -> Int {
        var ends = 0
        receive(descriptor)
        while received < byteCount {
            _ = ring.enter(waitingFor: 1, forAtMost: Self.patience)
            let some = reap()
            if some.isEmpty { return ends }
            for completion in some {
                if let number = keep(completion) { provide(number..<number + 1) }
                guard !completion.hasMore else { continue }
                if completion.result > 0 { ends += 1 }
                receive(descriptor)
            }
        }
        return ends
    }

    // ---- receiving ----

    private mutating func receiveWithoutBuffers() throws {
        let (peer, descriptor) = try connection()
        let failure = [-Errno.noBufferSpace.rawValue]
        receive(descriptor)
        note(.receiveFailsOnIdleSocket, if: atOnce().map(\.result) == failure)
        var failures = 0
        for _ in 0..<5 {
            receive(descriptor)
            if atOnce().map(\.result) == failure { failures += 1 }
        }
        note(.receiveFailsEachTime, if: failures == 5)

        provide(0..<2)
        receive(descriptor)
        try peer.send(200)
        let some = completions()
        for completion in some { _ = keep(completion) }
        let isStarved = some.last?.result == failure[0] && some.last?.hasMore == false
        note(.receiveEndsWithoutBuffers, if: isStarved && some.count == 3)
        provide(0..<2)
        _ = receiveAll(200, from: descriptor)
        noteStream(of: peer, byteCount: 200)
    }

    private mutating func receiveIntoFullQueue() throws {
        let (peer, descriptor) = try connection()
        provide(0..<setting.bufferCount)
        try peer.send(512)
        _ = completions()
        let ends = receiveAll(512, from: descriptor)
        note(.receiveEndsAfterBytes, if: ends > 0)
        noteStream(of: peer, byteCount: 512)
    }

    private mutating func noteStream(of peer: H.Peer, byteCount: Int) {
        let isWhole = received == byteCount
        let isInOrder = peer.hasSent(stream, byteCount: received, from: 0)
        note(.bytesWholeAndInOrder, if: isWhole && isInOrder)
        note(.bytesOutOfOrder, if: !isInOrder)
    }

    private mutating func overflow() {
        let wanted = (1...40).map { token($0) }
        var asked = 0
        while asked < wanted.count {
            while asked < wanted.count, ring.submissionRoom > 0 {
                // There is nothing to cancel, and each is told so.
                ring.submit(.cancel(token(1000)), token: wanted[asked])
                asked += 1
            }
            _ = ring.enter(waitingFor: 0, forAtMost: nil)
        }
        note(.overflowIsFlagged, if: ring.hasOverflowed)
        note(.completionsWholeAndInOrder, if: (reap() + completions()).map(\.token) == wanted)
    }

    // ---- sending ----

    /// Sends a stream back in pieces, so many at a time, to a reader that takes its time.
    private mutating func send(atOnce limit: Int) throws {
        let (peer, descriptor) = try connection()
        provide(0..<setting.bufferCount)
        let pieceBytes = 16384
        let pieceCount = Self.streamBytesMax / pieceBytes
        for piece in 1...pieceCount {
            try peer.send(pieceBytes)
            _ = receiveAll(piece * pieceBytes, from: descriptor)
            ring.submit(.cancel(token(1)), token: token(0))
            _ = completions()
        }
        var (begun, ended, vainRounds) = (0, 0, 0)
        while peer.readCount < Self.streamBytesMax || ended < pieceCount, vainRounds < 1000 {
            while begun < pieceCount, begun - ended < limit {
                let bytes = stream + begun * pieceBytes
                let piece = Submission.send(descriptor, bytes: bytes, byteCount: pieceBytes)
                ring.submit(piece, token: token(2))
                begun += 1
            }
            _ = ring.enter(waitingFor: 1, forAtMost: Self.patience / 20)
            let completed = reap().count
            ended += completed
            let before = peer.readCount
            try peer.read(atMost: 4096)
            vainRounds = completed == 0 && peer.readCount == before ? vainRounds + 1 : 0
        }
        let isWhole = peer.readCount == Self.streamBytesMax
        note(.bytesWholeAndInOrder, if: isWhole && peer.isInOrder)
        note(.bytesOutOfOrder, if: !peer.isInOrder)
    }

    // ---- closing ----

    private mutating func closeUnderReceive() throws {
        let former = try host.connect()
        // It waits: its own socket is to take no number that becomes free.
        let successor = try host.connect()
        let descriptor = try ring.acceptQueued(host.listener).get()
        provide(0..<setting.bufferCount)
        receive(descriptor)
        _ = completions()
        ring.submit(.close(descriptor), token: token(3))
        _ = atOnce()
        let number = try ring.acceptQueued(host.listener).get()
        note(.numberIsReused, if: number == descriptor)
        _ = completions()
        try former.read(atMost: 1)
        note(.peerGetsNoFin, if: former.end == nil)

        try former.send(50)
        for completion in completions() where completion.token == token(1) { _ = keep(completion) }
        let isFormers = received == 50 && former.hasSent(stream, byteCount: 50, from: 0)
        note(.lateCompletionHasFormerBytes, if: isFormers)
        try successor.read(atMost: 1)
    }

    private mutating func shutdownUnderReceive() throws {
        let (peer, descriptor) = try connection()
        provide(0..<setting.bufferCount)
        receive(descriptor)
        _ = completions()
        _ = ring.shutdown(descriptor, .both)
        let some = completions()
        note(.shutdownEndsReceive, if: some == [Completion(token: token(1), result: 0)])
        ring.submit(.close(descriptor), token: token(3))
        _ = completions()
        try peer.read(atMost: 1)
        note(.peerGetsFin, if: peer.end == .finished)
    }

    // ---- accepting ----

    private mutating func accept() {
        ring.submit(.acceptMultishot(host.listener), token: token(4))
    }

    private mutating func acceptWithoutDescriptors() throws {
        let failure = [-Errno.tooManyFiles.rawValue]
        host.forbidDescriptors()
        accept()
        note(.acceptFailsThoughNobodyWaits, if: atOnce().map(\.result) == failure)
        host.allowDescriptors()

        let peers = try (0..<3).map { _ in try host.connect() }
        host.forbidDescriptors()
        var failures = 0
        for _ in 0..<5 {
            accept()
            if atOnce().map(\.result) == failure { failures += 1 }
        }
        note(.acceptFailsEachTime, if: failures == 5)
        _ = completions()
        for peer in peers { try peer.read(atMost: 1) }
        note(.clientsWait, if: peers.allSatisfy { $0.end == nil })

        host.allowDescriptors()
        accept()
        let accepted = completions().filter { $0.result >= 0 }
        note(.clientsAreServedLater, if: accepted.count == peers.count)
    }

    private mutating func acceptIntoFullTable() throws {
        let peers = try (0..<3).map { _ in try host.connect() }
        accept()
        let results = completions().map(\.result)
        let isFull = results == [0, -Errno.tooManyFilesInSystem.rawValue]
        note(.acceptFailsWhenTableIsFull, if: isFull)
        for peer in peers { try peer.read(atMost: 1) }
        note(.takenConnectionIsClosed, if: peers[1].end == .finished)
        note(.clientsWait, if: peers[0].end == nil && peers[2].end == nil)
    }
}
