// ConnectionGiver: the side of a handing over that has the connections. A thread of its own takes
// what the workers offer, sends it, and tells them who was taken.
//
// The order keeps every connection in one process's hands. The other side answers once it has
// places and before it reads a byte; until the answer nobody reads. Where the other side is gone,
// or slow, the channel is ended first, after which it can answer no more; an answer that came
// before that counts, and without one everything stays here.

public import Net
import Synchronization

/// Hands connections over to another process.
public final class ConnectionGiver: Sendable {
    /// How long the other side has for an answer.
    private static let answerNanoseconds: UInt64 = 10 * .nanosecondsPerSecond
    /// How often connections are looked at again that did not come to rest, or came later.
    private static let lookNanoseconds: UInt64 = 50 * .nanosecondsPerMillisecond

    private let state: GivingState
    private let thread: Thread

    /// Begins. The workers take no more connections from now on.
    ///
    /// - Parameter channel: is the giver's from now on.
    public init(
        _ services: [ConnectionService],
        over channel: DescriptorChannel
    ) throws(SystemError) {
        do throws(SystemError) {
            let state = try GivingState()
            self.state = state
            thread = try Thread(name: "hand-over") {
                var giving = Giving(state: state, channel: channel)
                giving.run(services)
                channel.close()
                state.isDone.store(true, ordering: .releasing)
            }
        } catch {
            channel.close()
            throw error
        }
    }

    /// How many connections the other process has taken so far.
    public var handedOver: Int { state.handedOver.load(ordering: .relaxed) }

    /// How long it took until the last of them was taken.
    public var nanoseconds: UInt64 { state.nanoseconds.load(ordering: .relaxed) }

    /// Whether it is over: all have gone, or the rest stays.
    public var isDone: Bool { state.isDone.load(ordering: .acquiring) }

    /// Ends it; the workers keep what has not gone. Called once.
    public func end() {
        state.isEndWanted.store(true, ordering: .releasing)
        state.bell.ring()
        thread.join()
    }

    /// What the thread shares with whoever started it.
    private final class GivingState: Sendable {
        let bell: Doorbell
        let startedAt = Clock.monotonicNanoseconds()
        let handedOver = Atomic<Int>(0)
        let nanoseconds = Atomic<UInt64>(0)
        let isDone = Atomic<Bool>(false)
        let isEndWanted = Atomic<Bool>(false)
        init() throws(SystemError) { bell = try Doorbell() }
    }

    /// A worker that gives.
    private struct Place {
        let control: WorkerControl
        let service: UInt8
        let deadline: UInt64
        /// When to look again; nil while the worker has not come to the end of its connections.
        var lookAt: UInt64?
    }

    private struct Giving {
        let state: GivingState
        let channel: DescriptorChannel
        var places: [Place] = []
        /// Services of which the other side takes no more.
        var full: Set<UInt8> = []
        var isOpen = true

        mutating func run(_ services: [ConnectionService]) {
            for (number, service) in services.prefix(256).enumerated() {
                begin(service, UInt8(number))
            }
            while isOpen, !places.isEmpty, !isEndWanted { turn() }
            keep { _ in true }
        }

        private var isEndWanted: Bool { state.isEndWanted.load(ordering: .acquiring) }

        private mutating func begin(_ service: ConnectionService, _ number: UInt8) {
            let question = HandOverMessage.service(number: number, name: service.name)
            guard question.bytes.count <= DescriptorChannel.messageBytesMax,
                ask(question) == [1]
            else { return }
            let deadline = Clock.monotonicNanoseconds() + service.nanoseconds
            for control in service.groups.flatMap(\.controls) {
                control.ask(.give, answeringAt: state.bell)
                places.append(Place(control: control, service: number, deadline: deadline))
            }
        }

        private mutating func turn() {
            state.bell.silence()
            places.removeAll { $0.control.hasEnded }
            for place in places where isOpen && !full.contains(place.service) {
                if let offer = place.control.desk.takeOffer() { give(offer, of: place) }
            }
            // Who is asked to keep its connections serves what it has offered, too: no offer of his
            // is looked at any more.
            let (now, over) = (Clock.monotonicNanoseconds(), full)
            keep { $0.deadline <= now || over.contains($0.service) }
            for index in places.indices { look(at: index, now) }
            // Nobody speaks unasked: what there is to hear is the end.
            if isOpen, channel.waits(orFor: state.bell, forAtMost: ConnectionGiver.lookNanoseconds)
            {
                isOpen = false
            }
        }

        private mutating func look(at index: Int, _ now: UInt64) {
            let control = places[index].control
            if control.desk.takeNothing() {
                places[index].lookAt = now + ConnectionGiver.lookNanoseconds
            }
            guard let moment = places[index].lookAt, moment <= now else { return }
            places[index].lookAt = nil
            control.ask(.look, answeringAt: state.bell)
        }

        /// Sends what a worker offers, and tells it who was taken.
        private mutating func give(_ offer: [Descriptor], of place: Place) {
            let message = HandOverMessage.connections(
                service: place.service,
                count: UInt8(offer.count)
            )
            let answer = ask(message, offer) ?? []
            let taken =
                answer.count == offer.count ? answer.map { $0 == 1 } : offer.map { _ in false }
            note(taken.count { $0 })
            place.control.ask(.taken(taken), answeringAt: state.bell)
            if taken.contains(false) { full.insert(place.service) }
        }

        private func note(_ count: Int) {
            guard count > 0 else { return }
            state.handedOver.add(count, ordering: .relaxed)
            let passed = Clock.monotonicNanoseconds() - state.startedAt
            state.nanoseconds.store(passed, ordering: .relaxed)
        }

        /// Has workers keep what they have.
        private mutating func keep(_ isConcerned: (Place) -> Bool) {
            for place in places where isConcerned(place) {
                place.control.ask(.keep, answeringAt: state.bell)
            }
            places.removeAll(where: isConcerned)
        }

        /// Says something, and waits for what the other side says to it; nil where that is nothing.
        private mutating func ask(
            _ message: HandOverMessage,
            _ descriptors: [Descriptor] = []
        ) -> [UInt8]? {
            do throws(SystemError) {
                try channel.send(message.bytes, descriptors)
            } catch {
                isOpen = false
                return nil
            }
            let deadline = Clock.monotonicNanoseconds() + ConnectionGiver.answerNanoseconds
            while !isEndWanted {
                let now = Clock.monotonicNanoseconds()
                guard now < deadline else { break }
                // Not for the bell: workers ring it too. So a wish to end is seen a little later.
                let step = min(deadline - now, .nanosecondsPerSecond / 20)
                guard channel.waits(forAtMost: step) else { continue }
                let answer = channel.receive()
                isOpen = answer != nil
                return answer?.bytes
            }
            // Whatever it says from here on it says in vain, and knows that.
            isOpen = false
            channel.end()
            return channel.receive()?.bytes
        }
    }
}
