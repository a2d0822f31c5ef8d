// TargetTable: the addresses that a worker connects to, in the kernel's form and at a fixed place,
// since a submission only points to them.

import Net

/// Addresses in the kernel's form.
struct TargetTable: ~Copyable {
    struct Entry {
        let bytes: UnsafeRawPointer
        let byteCount: UInt32
    }

    private let storage: UnsafeMutableRawPointer
    private let byteCounts: [UInt32]

    private static var stride: Int { (SocketAddress.storageBytes + 7) / 8 * 8 }

    init(_ addresses: [SocketAddress]) {
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, addresses.count * TargetTable.stride),
            alignment: 8
        )
        byteCounts = addresses.enumerated().map { index, address in
            address.write(to: storage + index * TargetTable.stride)
        }
        self.storage = storage
    }

    deinit { storage.deallocate() }

    subscript(_ index: Int) -> Entry {
        Entry(
            bytes: UnsafeRawPointer(storage + index * TargetTable.stride),
            byteCount: byteCounts[index]
        )
    }
}
