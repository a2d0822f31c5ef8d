// ConnectionDesk: where a worker and the thread that hands its connections over, or brings it some
// of another process, leave things for each other. The worker comes by when its doorbell rings, so
// that nothing of this costs a message anything.

import Net
import Synchronization

/// What is asked of a worker, in this order.
enum DeskRequest: Sendable {
    // ---- of one that gives ----

    /// To take no more connections, and to offer those that come to rest.
    case give
    /// To go over all of its connections once more.
    case look
    /// Who of the last offer is the other process's now; the others stay.
    case taken([Bool])
    /// To offer no more, and to keep those that it has.
    case keep

    // ---- of one that takes ----

    /// To find places for connections, and to leave them alone for now.
    case place([Descriptor])
    /// To serve those that have a place.
    case admit
    /// To forget them: they stay with the other process.
    case dismiss
    /// To expect no more.
    case close
}

/// The desk of one worker.
final class ConnectionDesk: Sendable {
    private struct Papers {
        var requests: [DeskRequest] = []
        var offer: [Descriptor]?
        var hasNothing = false
        var placed: [Bool]?
        var bell: Doorbell?
    }

    private let papers = Mutex(Papers())
    private let isAddressed = Atomic<Bool>(false)
    private let expects = Atomic<Bool>(false)

    // ---- the worker's side ----

    /// Whether something is asked.
    var hasRequests: Bool { isAddressed.load(ordering: .acquiring) }

    func takeRequests() -> [DeskRequest] {
        papers.withLock { papers in
            isAddressed.store(false, ordering: .relaxed)
            defer { papers.requests = [] }
            return papers.requests
        }
    }

    /// Offers connections that are at rest. The worker leaves them alone until it hears who is
    /// taken.
    func offer(_ descriptors: [Descriptor]) {
        answer { $0.offer = descriptors }
    }

    /// Says that there is nothing to offer at present.
    func sayNothingIsLeft() {
        answer { $0.hasNothing = true }
    }

    /// Says who has a place.
    func sayPlaced(_ placed: [Bool]) {
        answer { $0.placed = placed }
    }

    private func answer(_ body: (inout Papers) -> Void) {
        papers.withLock { papers in
            body(&papers)
            papers.bell?.ring()
        }
    }

    // ---- the other side ----

    /// Whether connections of another process may come.
    var expectsConnections: Bool {
        get { expects.load(ordering: .acquiring) }
        set { expects.store(newValue, ordering: .releasing) }
    }

    /// Leaves a request. Ring the worker's doorbell then.
    func ask(_ request: DeskRequest, answeringAt bell: Doorbell?) {
        papers.withLock { papers in
            papers.requests.append(request)
            papers.bell = bell
            isAddressed.store(true, ordering: .releasing)
        }
    }

    func takeOffer() -> [Descriptor]? { take(\.offer) }

    func takePlaced() -> [Bool]? { take(\.placed) }

    /// Whether there was nothing to offer since this was asked last.
    func takeNothing() -> Bool {
        papers.withLock { papers in
            defer { papers.hasNothing = false }
            return papers.hasNothing
        }
    }

    private func take<Paper: Sendable>(_ paper: WritableKeyPath<Papers, Paper?>) -> Paper? {
        papers.withLock { papers in
            defer { papers[keyPath: paper] = nil }
            return papers[keyPath: paper]
        }
    }
}
