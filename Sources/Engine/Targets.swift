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
    private let byteCounts: [UInt32]
    private let targets: [Target]

    private static var stride: Int { (SocketAddress.storageBytes + 7) / 8 * 8 }

    init(_ targets: [Target]) {
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, targets.count * TargetTable.stride),
            alignment: 8
        )
        byteCounts = targets.enumerated().map { index, target in
            target.address.write(to: storage + index * TargetTable.stride)
        }
        self.targets = targets
        self.storage = storage
    }

    deinit { storage.deallocate() }

    /// What a socket for a target has to be.
    func plan(_ index: Int) -> (family: SocketAddress.Family, source: SocketAddress?) {
        (targets[index].address.family, targets[index].source)
    }

    subscript(_ index: Int) -> Entry {
        Entry(
            bytes: UnsafeRawPointer(storage + index * TargetTable.stride),
            byteCount: byteCounts[index]
        )
    }
}
