// ConnectionTaker: the side of a handing over that comes to have the connections. A thread of its
// own receives them, finds them places with the workers, says who has one, and has those served.
//
// It says so before a byte is read, and serves nobody where it cannot say so: then the other
// process has ended the channel, and goes on with them itself (ConnectionGiver.swift).

public import Net
import Synchronization

/// Takes connections of another process over.
public final class ConnectionTaker: Sendable {
    private let state: TakingState
    private let thread: Thread

    /// Begins.
    ///
    /// - Parameters:
    ///   - services: groups whose plans expect connections.
    ///   - channel: is the taker's from now on.
    public init(
        _ services: [ConnectionService],
        over channel: DescriptorChannel
    ) throws(SystemError) {
        do throws(SystemError) {
            let state = try TakingState()
            self.state = state
            thread = try Thread(name: "take-over") {
                var taking = Taking(state: state, channel: channel, services: services)
                taking.run()
                channel.close()
                state.isDone.store(true, ordering: .releasing)
            }
        } catch {
            channel.close()
            ConnectionTaker.close(services)
            throw error
        }
    }

    /// Has workers expect no more.
    private static func close(_ services: [ConnectionService]) {
        for control in services.flatMap(\.groups).flatMap(\.controls) {
            control.ask(.close, answeringAt: nil)
        }
    }

    /// How many connections have come so far.
    public var inherited: Int { state.inherited.load(ordering: .relaxed) }

    /// Whether no more will come.
    public var isDone: Bool { state.isDone.load(ordering: .acquiring) }

    /// Takes no more. Called once.
    public func end() {
        state.isEndWanted.store(true, ordering: .releasing)
        state.bell.ring()
        thread.join()
    }

    private final class TakingState: Sendable {
        let bell: Doorbell
        let inherited = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)
        let isEndWanted = Atomic<Bool>(false)
        init() throws(SystemError) { bell = try Doorbell() }
    }

    /// A worker, and what it found places for.
    private struct Place {
        let control: WorkerControl
        let backend: Backend
        var isFull = false
        /// It does not answer: nothing is to come to it.
        var isSilent = false
        /// The numbers of the connections that it was asked to find places for, and of those that
        /// have one.
        var asked: [Int] = []
        var placed: [Int] = []
    }

    private struct Taking {
        let state: TakingState
        let channel: DescriptorChannel
        let services: [ConnectionService]
        /// Services by the numbers that the other side gives them.
        var numbers: [UInt8: ConnectionService] = [:]
        /// Who is asked first, in turn.
        var turn = 0
        var isOpen = true

        private static let answerNanoseconds: UInt64 = 5 * .nanosecondsPerSecond

        mutating func run() {
            while isOpen, !isEndWanted {
                // The bell is for the end alone here.
                guard channel.waits(orFor: state.bell, forAtMost: .nanosecondsPerSecond) else {
                    state.bell.silence()
                    continue
                }
                guard let message = channel.receive() else { break }
                take(message)
            }
            ConnectionTaker.close(services)
        }

        private var isEndWanted: Bool { state.isEndWanted.load(ordering: .acquiring) }

        private mutating func take(_ message: DescriptorChannel.Message) {
            switch HandOverMessage(message.bytes) {
            case .service(let number, let name):
                numbers[number] = services.first { $0.isMeant(by: name) }
                isOpen = say([numbers[number] == nil ? 0 : 1])
            case .connections(let number, let count):
                take(message.descriptors, of: Int(count), numbers[number])
            case nil:
                for descriptor in message.descriptors { descriptor.close() }
                isOpen = false
            }
        }

        private func say(_ bytes: [UInt8]) -> Bool {
            do throws(SystemError) {
                try channel.send(bytes)
                return true
            } catch {
                return false
            }
        }

        /// - Parameter count: how many were sent; those that this process may not have are missing.
        private mutating func take(
            _ descriptors: [Descriptor],
            of count: Int,
            _ service: ConnectionService?
        ) {
            let places = findPlaces(for: descriptors, service)
            let placed = Set(places.flatMap(\.placed))
            let isSaid = say((0..<count).map { placed.contains($0) ? 1 : 0 })
            for index in places.indices {
                let isServed = isSaid && !places[index].isSilent
                // They are this process's alone now.
                let waits = places[index].backend == .uring
                if isServed {
                    for number in places[index].placed { descriptors[number].setWaiting(waits) }
                }
                places[index].control.ask(isServed ? .admit : .dismiss, answeringAt: state.bell)
            }
            for (number, descriptor) in descriptors.enumerated()
            where !isSaid || !placed.contains(number) {
                descriptor.close()
            }
            isOpen = isSaid && !places.contains(where: \.isSilent)
            if isSaid { state.inherited.add(placed.count, ordering: .relaxed) }
        }

        /// Deals connections out among the workers; what one has no place for is for the others.
        private mutating func findPlaces(
            for descriptors: [Descriptor],
            _ service: ConnectionService?
        ) -> [Place] {
            guard let group = service?.groups.first else { return [] }
            var places = zip(group.controls, group.backends).map { control, backend in
                Place(control: control, backend: backend)
            }
            var rest = Array(descriptors.indices)
            while !rest.isEmpty {
                let open = places.indices.filter { !places[$0].isFull && !places[$0].isSilent }
                guard !open.isEmpty else { break }
                for number in rest {
                    places[open[turn % open.count]].asked.append(number)
                    turn &+= 1
                }
                rest = []
                for index in open where !places[index].asked.isEmpty {
                    let asked = places[index].asked.map { descriptors[$0] }
                    places[index].control.ask(.place(asked), answeringAt: state.bell)
                }
                for index in open where !places[index].asked.isEmpty {
                    rest += settle(&places[index])
                }
            }
            return places
        }

        /// Waits for a worker's answer. Returns whom it has no place for.
        private func settle(_ place: inout Place) -> [Int] {
            let asked = place.asked
            place.asked = []
            guard let hasPlace = answer(of: place.control) else {
                place.isSilent = true
                defer { place.placed = [] }
                return asked + place.placed
            }
            place.placed += zip(asked, hasPlace).filter(\.1).map(\.0)
            place.isFull = hasPlace.contains(false)
            return zip(asked, hasPlace).filter { !$0.1 }.map(\.0)
        }

        private func answer(of control: WorkerControl) -> [Bool]? {
            let deadline = Clock.monotonicNanoseconds() + Taking.answerNanoseconds
            while !control.hasEnded, Clock.monotonicNanoseconds() < deadline {
                if let answer = control.desk.takePlaced() { return answer }
                state.bell.wait(forAtMost: .nanosecondsPerSecond / 10)
                state.bell.silence()
            }
            return control.desk.takePlaced()
        }
    }
}
