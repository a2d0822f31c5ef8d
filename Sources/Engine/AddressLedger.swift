// AddressLedger: what each source has, in all workers together: how many connections, and a bucket
// of tokens. It exists only where a limit for each source is set. Its lock is taken when a
// connection begins and when it ends, never for its bytes; the buckets need none.
//
// Its memory is fixed at the start. A source without a connection is kept for as long as its bucket
// is not full again, since forgetting it would forgive it; where all places are taken by such and
// by those with connections, further sources share one bucket: better than none, and no way for
// somebody with many addresses to get the better of the rest.

public import Net
import Synchronization

/// Sources of connections, and what they may still do. A source is an IPv4 address, or the /64 of
/// an IPv6 address.
public final class AddressLedger: Sendable {
    /// The place of a source, valid from `enter` to `leave`.
    public struct Place: Equatable, Sendable {
        let index: Int32
    }

    private struct Entry {
        var source: SocketAddress
        var connections: Int32
    }

    private struct Book {
        var places: [SocketAddress: Int32] = [:]
        var entries: [Entry] = []
        var free: [Int32] = []
        /// Where to look next for a source that may be forgotten.
        var hand = 0
    }

    private let capacity: Int
    private let connectionsMax: Int
    private let rate: TokenRate?
    private let book: Mutex<Book>
    // One for each place, and the one that is shared where no place is left.
    private let buckets: Buckets

    private struct Buckets: @unchecked Sendable {
        let base: UnsafeMutablePointer<TokenBucket>
    }

    /// - Parameters:
    ///   - clientsMax: connections that all workers together may have.
    ///   - connectionsMax: connections at once of each source; 0 for any number.
    ///   - rate: of each source's bucket; nil where none has one.
    public init(clientsMax: Int, connectionsMax: Int = 0, rate: TokenRate? = nil) {
        // Half of the places and more are for sources without a connection: so a few looks find one
        // that may be forgotten, if there are such.
        capacity = rate == nil ? clientsMax : 2 * clientsMax + 4096
        self.connectionsMax = connectionsMax
        self.rate = rate
        var book = Book()
        book.places.reserveCapacity(capacity)
        book.entries.reserveCapacity(capacity)
        book.free.reserveCapacity(capacity)
        self.book = Mutex(book)
        let count = rate == nil ? 0 : capacity + 1
        let base = UnsafeMutablePointer<TokenBucket>.allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: TokenBucket()) }
        buckets = Buckets(base: base)
    }

    deinit {
        if rate != nil { buckets.base.deinitialize(count: capacity + 1) }
        buckets.base.deallocate()
    }

    // ---- connections ----

    /// Notes a connection from an address.
    ///
    /// - Returns: the place of its source; nil where that would be one connection too many.
    public func enter(_ address: SocketAddress, now: UInt64) -> Place? {
        enter(address, atMost: connectionsMax, now: now)
    }

    /// Notes a connection that stands already, be it one too many. It takes no token.
    func enterAnyway(_ address: SocketAddress, now: UInt64) -> Place? {
        enter(address, atMost: 0, now: now)
    }

    private func enter(_ address: SocketAddress, atMost most: Int, now: UInt64) -> Place? {
        let source = address.source
        return book.withLock { book in
            guard let index = book.places[source] ?? makePlace(for: source, in: &book, now: now)
            else { return Place(index: Int32(capacity)) }
            guard most == 0 || book.entries[Int(index)].connections < most else { return nil }
            book.entries[Int(index)].connections += 1
            return Place(index: index)
        }
    }

    /// Notes the end of a connection that was entered.
    public func leave(_ place: Place) {
        guard place.index < capacity else { return }
        book.withLock { book in
            let index = Int(place.index)
            book.entries[index].connections -= 1
            // Without a bucket there is nothing to remember.
            guard book.entries[index].connections == 0, rate == nil else { return }
            book.places[book.entries[index].source] = nil
            book.free.append(place.index)
        }
    }

    private func makePlace(
        for source: SocketAddress,
        in book: inout Book,
        now: UInt64
    ) -> Int32? {
        let entry = Entry(source: source, connections: 0)
        let index: Int32
        if let free = book.free.popLast() {
            index = free
        } else if book.entries.count < capacity {
            index = Int32(book.entries.count)
            book.entries.append(entry)
        } else if let forgotten = forget(in: &book, now: now) {
            index = forgotten
        } else {
            return nil
        }
        book.entries[Int(index)] = entry
        book.places[source] = index
        return index
    }

    /// Forgets a source that has no connection, and whose bucket is full again.
    private func forget(in book: inout Book, now: UInt64) -> Int32? {
        for _ in 0..<min(16, capacity) {
            let index = book.hand
            book.hand = index + 1 == capacity ? 0 : index + 1
            if book.entries[index].connections == 0, buckets.base[index].isFull(now: now) {
                book.places[book.entries[index].source] = nil
                return Int32(index)
            }
        }
        return nil
    }

    // ---- tokens ----

    /// Takes tokens of a source, though there may be fewer.
    ///
    /// - Returns: when what was taken is paid for; nil where it is already.
    public func take(_ count: Int, of place: Place, now: UInt64) -> UInt64? {
        guard let rate else { return nil }
        return buckets.base[Int(place.index)].take(count, at: rate, now: now)
    }

    /// Notes a connection from an address, and takes one of its tokens for it.
    ///
    /// - Returns: the place of its source; nil where that would be one connection too many, at once
    ///   or in this second.
    func admit(_ address: SocketAddress, now: UInt64) -> Place? {
        guard let place = enter(address, now: now) else { return nil }
        guard let rate else { return place }
        if buckets.base[Int(place.index)].takeIfThere(at: rate, now: now) { return place }
        leave(place)
        return nil
    }
}
