// What the relay reads of its command line: upstreams, and the networks that may connect.

import Net
import Relay

func checkUpstreamOptions(_ text: String) throws {
    let options: UpstreamOptions
    do throws(UpstreamOptionsError) {
        options = try UpstreamOptions(parsing: text)
    } catch {
        try demand(!error.description.isEmpty, "a refusal says why")
        try demand(!error.description.contains("\n") || text.contains("\n"), "in one line")
        return
    }
    try demand(options.port > 0 && !options.host.isEmpty, "there is something to connect to")
    try demand((1...UpstreamOptions.weightMax).contains(options.weight), "the weight is in range")
    try demand(options.connectionsMax >= 0, "the limit is a number of connections")
    var written = options.target + ",weight=\(options.weight)"
    if options.isBackup { written += ",backup" }
    if options.connectionsMax > 0 { written += ",max-connections=\(options.connectionsMax)" }
    try demand(try UpstreamOptions(parsing: written) == options, "it is read as it was written")
}

func checkAddressPrefix(_ text: String) throws {
    guard let prefix = AddressPrefix(parsing: text) else { return }
    try demand(prefix.contains(prefix.first), "a network has its first address")
    try demand(prefix.contains(prefix[min(prefix.count - 1, 1 << 20)]), "and those that follow")
    let other = SocketAddress(host: prefix.first.family == .v4 ? "fd00::1" : "10.0.0.1", port: 1)!
    try demand(!prefix.contains(other), "and none of the other family")
}
