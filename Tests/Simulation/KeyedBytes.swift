// KeyedBytes: what a model client sends. Each byte follows from the client and from its place in
// the stream, so a byte that is lost, foreign or out of order is recognised where it turns up, and
// nothing has to be remembered.

/// The stream of one client.
struct KeyedBytes {
    /// One table for all: streams differ in where they begin in it.
    private static let table: [UInt8] = {
        var chance = Chance(seed: 1)
        return (0..<65521).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
    }()

    private let start: Int

    init(key: UInt64) { start = Int(Chance.mix(key) % UInt64(KeyedBytes.table.count)) }

    private subscript(_ position: Int) -> UInt8 {
        KeyedBytes.table[(start + position) % KeyedBytes.table.count]
    }

    /// Puts the bytes from a position on into memory.
    func write(from position: Int, to bytes: UnsafeMutableRawPointer, byteCount: Int) {
        for index in 0..<byteCount {
            bytes.storeBytes(of: self[position + index], toByteOffset: index, as: UInt8.self)
        }
    }

    /// The first place at which memory differs from the stream from a position on, or nil.
    func difference(
        from position: Int,
        in bytes: UnsafeRawPointer,
        byteCount: Int
    ) -> Int? {
        for index in 0..<byteCount
        where bytes.load(fromByteOffset: index, as: UInt8.self) != self[position + index] {
            return position + index
        }
        return nil
    }
}
