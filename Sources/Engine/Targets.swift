// TargetTable: the addresses that a worker connects to, in the kernel's form and at a fixed place,
// since a submission only points to them.

public import Net

/// Where a connection can be made to.
public struct Target: Equatable, Sendable {
    /// The other end.
    public var address: SocketAddress
    /// This end, of the same family; the kernel chooses where it is nil. Its port is 0.
    public var source: SocketAddress?

    /// A target, and where it is connected to from.
    public init(address: SocketAddress, source: SocketAddress? = nil) {
        self.address = address
        self.source = source
    }
}

/// Targets, their addresses in the kernel's form.
struct TargetTable: ~Copyable {
    struct Entry {
        let bytes: UnsafeRawPointer
        let byteCount: UInt32
    }

    private let storage: UnsafeMutableRawPointer
    private var byteCounts: [UInt32]
    private var targets: [Target]
    // Each target has two places, and is at the first or the second of them. A submission that
    // waits to be handed over still points to where its target was.
    private var isAtSecond: [Bool]

    private static var stride: Int { (SocketAddress.storageBytes + 7) / 8 * 8 }

    init(_ targets: [Target]) {
        storage = .allocate(
            byteCount: max(1, targets.count * 2 * TargetTable.stride),
            alignment: 8
        )
        self.targets = targets
        byteCounts = Array(repeating: 0, count: targets.count)
        isAtSecond = Array(repeating: true, count: targets.count)
        for (index, target) in targets.enumerated() { setAddress(index, target.address) }
    }

    deinit { storage.deallocate() }

    /// Changes where a target is.
    mutating func setAddress(_ index: Int, _ address: SocketAddress) {
        isAtSecond[index].toggle()
        targets[index].address = address
        byteCounts[index] = address.write(to: place(index))
    }

    private func place(_ index: Int) -> UnsafeMutableRawPointer {
        storage + (index * 2 + (isAtSecond[index] ? 1 : 0)) * TargetTable.stride
    }

    /// What a socket for a target has to be.
    func plan(_ index: Int) -> (family: SocketAddress.Family, source: SocketAddress?) {
        (targets[index].address.family, targets[index].source)
    }

    subscript(_ index: Int) -> Entry {
        Entry(bytes: UnsafeRawPointer(place(index)), byteCount: byteCounts[index])
    }
}
