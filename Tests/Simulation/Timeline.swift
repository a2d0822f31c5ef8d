// Timeline: the virtual clock, and what is to happen when. Nothing in a simulation happens at any
// other time.

/// Something that happens outside the worker at a moment.
enum Happening {
    /// A client does its next step.
    case act(client: Int)
    /// Something that a client sent arrives.
    case arrive(client: Int)
    /// An operation that befalls the host.
    case befall(Operation)
}

/// Happenings in the order of their moments; of the same moment, in the order in which they were
/// added.
struct Timeline {
    private struct Entry {
        var moment: UInt64
        var number: Int
        var happening: Happening
    }

    /// Monotonic nanoseconds.
    var now: UInt64 = 1_000_000_000
    // A binary heap: no entry is later than those at twice its place.
    private var entries: [Entry] = []
    private var added = 0

    /// When the next happening is, or nil.
    var next: UInt64? { entries.first?.moment }

    mutating func add(_ happening: Happening, at moment: UInt64) {
        entries.append(Entry(moment: moment, number: added, happening: happening))
        added += 1
        var place = entries.count - 1
        while place > 0, precedes(place, (place - 1) / 2) {
            entries.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// Takes out a happening whose moment has come.
    mutating func popDue() -> Happening? {
        guard let first = entries.first, first.moment <= now else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return first.happening
    }

    private mutating func sink() {
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < entries.count && precedes(child, least) {
                least = child
            }
            guard least != place else { return }
            entries.swapAt(place, least)
            place = least
        }
    }

    private func precedes(_ place: Int, _ other: Int) -> Bool {
        (entries[place].moment, entries[place].number)
            < (entries[other].moment, entries[other].number)
    }
}
