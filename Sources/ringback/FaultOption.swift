// FaultOption: `--fault F17` puts a fault of the bug bank back into a server, for faults that only
// a real kernel shows. Debug builds alone have it.

#if BUGBANK
    import ArgumentParser
    @_spi(Simulation) import Engine
    import Glibc
    import Options

    /// The hidden option.
    struct FaultOption: ParsableArguments {
        @Option(help: .hidden)
        var fault: String?

        func putBack() throws {
            guard let fault else { return }
            guard let known = KnownFault(rawValue: fault) else {
                throw Failure(.usage, "no fault is called \(fault)")
            }
            KnownFault.reintroduced = known
            // The signal is not ignored either, as by a server that never thought of it.
            if known == .sendsAreWrites { signal(SIGPIPE, SIG_DFL) }
        }
    }
#endif
