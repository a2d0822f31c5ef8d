// The parsers of words: whatever is read is within its bounds, and is read again as the same when
// it is written out.

import ArgumentParser
import Glibc
import Net

@testable import Options
@testable import ringback

func checkAddress(_ text: String) throws {
    let address: SocketAddress
    do throws(AddressError) {
        address = try SocketAddress(parsing: text)
    } catch {
        try demand(error.text == text, "the error names the text")
        try demand(!error.description.isEmpty, "the error says something")
        if let (host, _) = try? SocketAddress.splitHostAndPort(text) {
            try demand(!isPlainAddress(host), "'\(host)' is refused though it is an address")
        }
        return
    }
    try demand(!text.utf8.contains(0), "an address has no zero in it")
    let written = address.description
    let again = try SocketAddress(parsing: written)
    try demand(again == address, "'\(written)' is read as it was written")
    try demand(address.host.port == 0, "a host has no port")
    let form = UnsafeMutableRawPointer.allocate(
        byteCount: SocketAddress.storageBytes,
        alignment: 8
    )
    defer { form.deallocate() }
    try demand(
        Int(address.write(to: form)) <= SocketAddress.storageBytes,
        "the kernel's form fits"
    )
}

/// Whether the C library takes a text for an address in its strict form.
private func isPlainAddress(_ host: String) -> Bool {
    guard !host.utf8.contains(0) else { return false }
    var bytes = in6_addr()
    return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1
}

func checkSize(_ text: String) throws {
    guard let size = ByteSize(argument: text) else { return }
    try demand(size.bytes >= 0, "a size is not negative")
    try demand(text.utf8.first.map { (48...57).contains($0) } ?? false, "a size begins by a digit")
    let written = size.defaultValueDescription
    try demand(ByteSize(argument: written) == size, "'\(written)' is read as it was written")
}

func checkTimeSpan(_ text: String) throws {
    guard let span = TimeSpan(argument: text) else { return }
    // A deadline is a moment of the clock plus a span.
    try demand(span.nanoseconds <= UInt64.max / 2, "a span can be added to a moment")
    let written = span.defaultValueDescription
    try demand(TimeSpan(argument: written) == span, "'\(written)' is read as it was written")
}

func checkWorkerCount(_ text: String) throws {
    guard let count = WorkerCount(argument: text) else { return }
    let written = count.defaultValueDescription
    try demand(WorkerCount(argument: written) == count, "'\(written)' is read as it was written")
    guard let number = try? count.resolve(cpus: 3) else { return }
    try demand((1...1024).contains(number), "\(number) workers can be started")
}

func checkKeepalive(_ text: String) throws {
    guard let choice = KeepaliveChoice(argument: text) else { return }
    let written = choice.defaultValueDescription
    let again = KeepaliveChoice(argument: written)
    try demand(again?.defaultValueDescription == written, "'\(written)' is read as it was written")
    guard let keepalive = choice.keepalive else { return }
    // What the kernel takes (tcp(7)).
    try demand((1...32767).contains(keepalive.idleSeconds), "the kernel takes the silence")
    try demand((1...32767).contains(keepalive.intervalSeconds), "the kernel takes the interval")
    try demand((1...127).contains(keepalive.count), "the kernel takes the count")
}
