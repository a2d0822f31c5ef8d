// RuleHosts: the two machines on which the programs of the kernel's rules run. One is this machine,
// with sockets on its loopback; the other is the model of the simulation, without its clients'
// scripts: a program moves each client by hand.

@_spi(Simulation) import Engine
import Glibc
import Net
import Support
import URing

@testable import Simulation

// ---- this machine ----

/// This machine, with a listener of its own.
final class KernelHost: RuleHost {
    static let isAvailable = (try? Capabilities.probe()) != nil

    let listener: Descriptor
    private let address: SocketAddress
    private var limit = rlimit()
    private var clientCount: UInt64 = 0

    init() throws {
        listener = try Socket.listen(ListenOptions(address: SocketAddress(parsing: "127.0.0.1:0")))
        address = try Socket.localAddress(of: listener)
        // What is accepted inherits it. A send that waits for room is what programs are about.
        var bytes: Int32 = 4096
        let length = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(listener.rawValue, SOL_SOCKET, SO_SNDBUF, &bytes, length)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    deinit {
        allowDescriptors()
        listener.close()
    }

    func connect() throws -> KernelPeer {
        clientCount += 1
        return KernelPeer(
            try TestClient(address, receiveBufferBytes: 4096),
            bytes: KeyedBytes(key: clientCount)
        )
    }

    /// The limit becomes the lowest number that is free.
    func forbidDescriptors() {
        let lowest = dup(listener.rawValue)
        close(lowest)
        setLimit(rlim_t(lowest))
    }

    func allowDescriptors() { setLimit(limit.rlim_cur) }

    private func setLimit(_ soft: rlim_t) {
        var changed = limit
        changed.rlim_cur = soft
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &changed)
    }

    func makeRing(_ setting: RuleSetting) throws -> KernelRing {
        var options = KernelRing.Options(
            submissionEntries: setting.submissionEntries,
            completionEntries: setting.completionEntries
        )
        options.registeredFiles = setting.tableSize
        return try KernelRing(options)
    }
}

/// A client on the loopback.
final class KernelPeer: RulePeer {
    private let client: TestClient
    private let bytes: KeyedBytes
    private var sentCount = 0
    private(set) var readCount = 0
    private(set) var isInOrder = true
    private(set) var end: PeerEnd?

    init(_ client: TestClient, bytes: KeyedBytes) {
        self.client = client
        self.bytes = bytes
    }

    func send(_ byteCount: Int) throws {
        let part = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, used in
            bytes.write(from: sentCount, to: buffer.baseAddress!, byteCount: byteCount)
            used = byteCount
        }
        sentCount += byteCount
        try client.send(part)
    }

    func read(atMost byteCount: Int) throws {
        guard end == nil else { return }
        do {
            guard try client.isReadable(withinMilliseconds: 0) else { return }
            let part = try client.receive(atMost: byteCount)
            if part.isEmpty { end = .finished }
            let isNext = part.withUnsafeBytes {
                part.isEmpty || hasSent($0.baseAddress!, byteCount: part.count, from: readCount)
            }
            if !isNext { isInOrder = false }
            readCount += part.count
        } catch let failure as TestClient.CallFailed where failure.code == ECONNRESET {
            end = .reset
        }
    }

    func hasSent(_ bytes: UnsafeRawPointer, byteCount: Int, from position: Int) -> Bool {
        self.bytes.difference(from: position, in: bytes, byteCount: byteCount) == nil
    }
}

// ---- the model ----

/// A model host without any mischief.
final class ModelRuleHost: RuleHost {
    let host: ModelHost
    let listener = Descriptor(rawValue: ModelHost.firstDescriptor)
    private var clientCount = 0

    init(_ setting: RuleSetting, seed: UInt64) throws {
        var plan = Plan(seed: seed, clientCount: 3, operations: [])
        plan.limits.bufferCount = setting.bufferCount
        plan.limits.bufferBytes = setting.bufferBytes
        plan.limits.submissionEntries = setting.submissionEntries
        plan.limits.completionEntries = setting.completionEntries
        plan.registersFiles = setting.tableSize > 0
        host = ModelHost(plan: plan, control: try StepControl())
        host.files = Array(repeating: nil, count: setting.tableSize)
        // A program decides itself when it is over.
        host.phaseEndsAt = .max
    }

    func connect() -> ModelPeer {
        let client = host.clients[clientCount]
        clientCount += 1
        let socket = ModelSocket(client: client.number, bytes: client.bytes)
        client.socket = socket
        host.backlog.append(socket)
        return ModelPeer(client, socket, host)
    }

    func forbidDescriptors() { host.exhaustedUntil = .max }

    func allowDescriptors() { host.exhaustedUntil = 0 }
}

/// A client of the model that does nothing by itself.
final class ModelPeer: RulePeer {
    private let client: ModelClient
    private let socket: ModelSocket
    private let host: ModelHost
    private(set) var end: PeerEnd?

    init(_ client: ModelClient, _ socket: ModelSocket, _ host: ModelHost) {
        self.client = client
        self.socket = socket
        self.host = host
    }

    func send(_ byteCount: Int) {
        client.sent += byteCount
        client.inTransit += byteCount
        host.timeline.add(.arrive(client: client.number), at: host.timeline.now)
    }

    func read(atMost byteCount: Int) {
        if socket.hasSentReset { end = .reset }
        let count = min(byteCount, socket.queued)
        socket.queued -= count
        client.read += count
        if socket.queued == 0, socket.hasSentFin, end == nil { end = .finished }
    }

    var readCount: Int { client.read }

    /// The model compares what it is given to send with what has to come.
    var isInOrder: Bool { host.failure == nil }

    func hasSent(_ bytes: UnsafeRawPointer, byteCount: Int, from position: Int) -> Bool {
        client.bytes.difference(from: position, in: bytes, byteCount: byteCount) == nil
    }
}
