// WaitingLine: connections that are not read until a moment each, the earliest first: a binary heap
// that knows where in it each slot is, since a connection may end while it waits. All memory is
// taken at the start.

import Engine

/// Connections by the moments for which they wait.
struct WaitingLine {
    private struct Entry {
        let moment: UInt64
        let connection: ConnectionID
    }

    private var entries: [Entry] = []
    /// Where in the heap a slot is, plus one; 0 where it does not wait.
    private var places: [Int32]

    /// - Parameter capacity: slots; 0 where nobody ever waits.
    init(capacity: Int) {
        entries.reserveCapacity(capacity)
        places = Array(repeating: 0, count: capacity)
    }

    /// The earliest moment; nil where nobody waits.
    var earliest: UInt64? { entries.first?.moment }

    /// Has a connection wait for a moment, in place of an earlier one.
    mutating func insert(_ connection: ConnectionID, until moment: UInt64) {
        remove(slot: connection.slot)
        entries.append(Entry(moment: moment, connection: connection))
        rise(entries.count - 1)
    }

    /// Takes a slot out, if it waits.
    mutating func remove(slot: UInt32) {
        let place = Int(places[Int(slot)]) - 1
        guard place >= 0 else { return }
        places[Int(slot)] = 0
        let last = entries.removeLast()
        guard place < entries.count else { return }
        entries[place] = last
        rise(place)
        sink(Int(places[Int(last.connection.slot)]) - 1)
    }

    /// Takes out a connection whose moment has come; nil where there is none.
    mutating func popDue(now: UInt64) -> ConnectionID? {
        guard let first = entries.first, first.moment <= now else { return nil }
        remove(slot: first.connection.slot)
        return first.connection
    }

    /// Moves an entry up until nothing later is above it, and notes its place.
    private mutating func rise(_ start: Int) {
        let entry = entries[start]
        var place = start
        while place > 0, entry.moment < entries[(place - 1) / 2].moment {
            put(entries[(place - 1) / 2], at: place)
            place = (place - 1) / 2
        }
        put(entry, at: place)
    }

    /// Moves an entry down until nothing earlier is below it.
    private mutating func sink(_ start: Int) {
        let entry = entries[start]
        var place = start
        while true {
            var child = 2 * place + 1
            if child + 1 < entries.count, entries[child + 1].moment < entries[child].moment {
                child += 1
            }
            guard child < entries.count, entries[child].moment < entry.moment else { break }
            put(entries[child], at: place)
            place = child
        }
        put(entry, at: place)
    }

    private mutating func put(_ entry: Entry, at place: Int) {
        entries[place] = entry
        places[Int(entry.connection.slot)] = Int32(place) + 1
    }
}
