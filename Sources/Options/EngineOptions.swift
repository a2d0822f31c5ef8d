// The options that both executables have for their engine: the backend, the workers, and where
// these run.

public import ArgumentParser
public import Engine
import Net
import URing

/// `--backend`.
public enum BackendChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case auto
    case uring
    case epoll
}

/// A backend, and how it came to be chosen.
public struct ChosenBackend: Sendable {
    /// The backend.
    public let backend: Backend
    /// For people: its kernel features, or why it is not io_uring.
    public let explanation: String
    /// Whether connections can be registered files on it.
    public let registersFiles: Bool
    /// Whether its rings can be restricted.
    public let restrictsRings: Bool

    /// A backend with an explanation.
    public init(
        backend: Backend,
        explanation: String,
        registersFiles: Bool = false,
        restrictsRings: Bool = false
    ) {
        self.backend = backend
        self.explanation = explanation
        self.registersFiles = registersFiles
        self.restrictsRings = restrictsRings
    }
}

extension BackendChoice {
    /// Tries io_uring where it is wanted.
    ///
    /// - Throws: `Failure` where io_uring was demanded and cannot be had.
    public func resolve() throws -> ChosenBackend {
        guard self != .epoll else { return ChosenBackend(backend: .epoll, explanation: "epoll") }
        do throws(Unavailable) {
            let capabilities = try Capabilities.probe()
            return ChosenBackend(
                backend: .uring,
                explanation: "io_uring (\(capabilities.summary))",
                registersFiles: capabilities.registersFiles,
                restrictsRings: capabilities.restrictsRings
            )
        } catch {
            guard self == .auto else {
                throw Failure(
                    .couldNotRun,
                    "io_uring cannot be used: \(error.cause); to mend it: \(error.remedy)"
                )
            }
            return ChosenBackend(
                backend: .epoll,
                explanation: "epoll, since io_uring cannot be used: \(error.cause)"
            )
        }
    }
}

/// `--workers`.
public enum WorkerCount: ExpressibleByArgument, Equatable, Sendable {
    /// One for each CPU that the process may run on.
    case auto
    case count(Int)

    public init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let number = Int(argument) {
            self = .count(number)
        } else {
            return nil
        }
    }

    public var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .count(let number): "\(number)"
        }
    }

    /// The number of workers on a host that allows `cpus`.
    public func resolve(cpus: Int) throws -> Int {
        guard case .count(let number) = self else { return max(1, cpus) }
        guard (1...1024).contains(number) else {
            throw Failure(.usage, "--workers must be from 1 to 1024, or auto, not \(number)")
        }
        return number
    }
}

/// `--busy-poll`.
public struct BusyPollingChoice: ExpressibleByArgument, Equatable, Sendable {
    /// What the engine is to do.
    public let polling: BusyPolling

    /// A choice.
    public init(_ polling: BusyPolling) { self.polling = polling }

    public init?(argument: String) {
        switch argument {
        case "off": polling = .off
        case "auto": polling = .auto
        default:
            guard let span = TimeSpan(argument: argument), span.nanoseconds > 0,
                span.nanoseconds <= .nanosecondsPerSecond
            else { return nil }
            polling = .fixed(nanoseconds: span.nanoseconds)
        }
    }

    public var defaultValueDescription: String {
        switch polling {
        case .off: "off"
        case .auto: "auto"
        case .fixed(let nanoseconds):
            TimeSpan(nanoseconds: nanoseconds).defaultValueDescription
        }
    }
}

/// Makes room for descriptors.
public enum DescriptorRoom {
    /// Descriptors that a process needs beside its connections: standard streams, listeners, rings,
    /// doorbells, and what a library opens for a moment.
    public static let reserve = 128

    /// How many connections the hard limit allows at most, beside so many descriptors of pipes.
    public static func connectionsAllowed(pipeDescriptors: Int = 0) -> Int {
        max(1, Int(clamping: DescriptorLimit.current().hard) - reserve - pipeDescriptors)
    }

    /// Raises the soft limit for a number of connections, and for descriptors of pipes.
    public static func prepare(forConnections count: Int, pipeDescriptors: Int = 0) throws {
        let most = connectionsAllowed(pipeDescriptors: pipeDescriptors)
        let others = reserve + pipeDescriptors
        guard count <= most else {
            throw Failure(
                .usage,
                "\(count) connections need as many descriptors and \(others) more, but the limit "
                    + "is \(DescriptorLimit.current().hard) (ulimit -Hn); at most "
                    + "\(most) connections fit"
            )
        }
        try raise(to: count + others)
    }

    /// Raises the soft limit for several services together.
    ///
    /// - Parameter needs: the descriptors of each.
    public static func prepare(for needs: [Int]) throws {
        let (sum, limit) = (needs.reduce(reserve, +), DescriptorLimit.current().hard)
        guard sum <= limit else {
            throw Failure(
                .usage,
                "the services together may need \(sum) descriptors, but the limit is \(limit) "
                    + "(ulimit -Hn); give them fewer --max-connections"
            )
        }
        try raise(to: sum)
    }

    /// Raises the soft limit, which bounds the table of each ring as well, for a number of
    /// registered files.
    public static func prepare(forRegisteredFiles count: Int) throws {
        let limit = DescriptorLimit.current().hard
        guard count <= limit else {
            throw Failure(
                .usage,
                "\(count) connections on each worker are more than a ring's table may hold, "
                    + "\(limit) (ulimit -Hn); use more workers"
            )
        }
        try raise(to: Int(clamping: limit))
    }

    private static func raise(to count: Int) throws {
        do {
            try DescriptorLimit.raise(to: UInt64(count))
        } catch {
            throw Failure(.couldNotRun, "cannot raise the descriptor limit: \(error)")
        }
    }
}
