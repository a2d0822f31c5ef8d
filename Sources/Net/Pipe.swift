// Pipe: a buffer in the kernel through which bytes go from one socket to another without being
// copied (splice(2)): what moves is the pages that hold them.

import CLinux

/// The two ends of a pipe. Whoever made it closes it.
public struct Pipe: Sendable {
    let readEnd: Descriptor
    let writeEnd: Descriptor

    /// Makes a pipe.
    ///
    /// - Parameter byteCount: how much it is to hold. A user without privileges may get less, down
    ///   to a page or two (pipe(7)).
    public init(byteCount: Int) throws(SystemError) {
        var (readEnd, writeEnd): (Int32, Int32) = (-1, -1)
        let result = clinux_pipe(&readEnd, &writeEnd, Int32(clamping: byteCount))
        if let error = Errno(ofResult: result) { throw SystemError("pipe2", error) }
        self.readEnd = Descriptor(rawValue: readEnd)
        self.writeEnd = Descriptor(rawValue: writeEnd)
    }

    /// Closes both ends; what is in it is lost.
    public func close() {
        readEnd.close()
        writeEnd.close()
    }

    /// Takes up to so many bytes from a socket. It may wait for the first of them: ask only where
    /// some have arrived. Returns their count, 0 after FIN, or `-errno`.
    public func fillOnce(from socket: Descriptor, byteCount: Int) -> Int {
        Int(clinux_splice(socket.rawValue, writeEnd.rawValue, byteCount))
    }

    /// Hands up to so many bytes to a socket. It waits where the socket does and is full. Returns
    /// their count, or `-errno`.
    ///
    /// A broken connection raises SIGPIPE, unless the thread blocks it.
    public func drainOnce(into socket: Descriptor, byteCount: Int) -> Int {
        Int(clinux_splice(readEnd.rawValue, socket.rawValue, byteCount))
    }

    /// Lets no broken connection raise SIGPIPE in the calling thread.
    public static func blockSignal() { clinux_block_broken_pipe() }
}
