// HostReading: what there is to know of a host and of what it allows this process. A plain value,
// so that every host there might be can be made up.

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
        } catch {
            host.unavailable = error
        }
        host.descriptorsMax = Int(clamping: DescriptorLimit.current().hard)
        host.lockedBytesMax = LockedMemoryLimit.current()
        host.cpuCount = max(1, CPUSet.allowed().count)
        host.receiveQueues = NetworkCards.receiveQueues()
        return host
    }
}
