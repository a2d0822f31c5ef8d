// HostReading: what there is to know of a host and of what it allows this process. A plain value,
// so that every host there might be can be made up.

public import Confinement
import Measure
import Net
public import URing

/// A host, as far as it matters to the service.
public struct HostReading: Sendable {
    /// The facts of the manifest by name, such as `net.core.somaxconn`; what the kernel does not
    /// say is left out.
    public var facts: [String: String] = [:]
    /// Why io_uring cannot be used; nil where it can.
    public var unavailable: Unavailable?
    /// What io_uring offers, in a few words.
    public var features = ""
    /// Whether connections can be kept in tables of the rings.
    public var registersFiles = false
    /// How it stands with what a process can give up, by the names of the options; empty where
    /// nobody has looked.
    public var measures: [String: Measure] = [:]
    /// The hard limit on descriptors of this process.
    public var descriptorsMax = 0
    /// Bytes of memory that this process may lock; nil for any number.
    public var lockedBytesMax: Int?
    /// CPUs that this process may run on.
    public var cpuCount = 1
    /// Receive queues of each network card, by its name.
    public var receiveQueues: [String: Int] = [:]

    /// Nothing known.
    public init() {}

    /// This host.
    public static func read() -> HostReading {
        var host = HostReading()
        host.facts = Manifest.current(command: [], version: "").host
        do throws(Unavailable) {
            let capabilities = try Capabilities.probe()
            host.features = capabilities.summary
            host.registersFiles = capabilities.registersFiles
            host.measures["ring-restrictions"] =
                capabilities.restrictsRings ? .inForce : .missing("the kernel cannot (Linux 5.10)")
        } catch {
            host.unavailable = error
        }
        let confinement = Confinement(seccomp: .auto, landlock: .auto)
        host.measures["seccomp"] = confinement.seccomp
        host.measures["landlock"] = confinement.landlock
        host.descriptorsMax = Int(clamping: DescriptorLimit.current().hard)
        host.lockedBytesMax = LockedMemoryLimit.current()
        host.cpuCount = max(1, CPUSet.allowed().count)
        host.receiveQueues = NetworkCards.receiveQueues()
        return host
    }
}
