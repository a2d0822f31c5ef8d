// What of a buffer may be touched, for AddressSanitizer: nothing of a buffer that is free or the
// kernel's, and of any other no more than it holds. Ownership is checked at each move; this checks
// each read and write between the moves.
//
// Only our own accesses are judged. The kernel's writes into an offered buffer pass the sanitizer
// by. recv(2) and send(2) do not: it looks at their arguments as at an access of ours.

import Net

extension BufferPool {
    /// Allows the first `byteCount` bytes of a buffer to be touched, and no others.
    ///
    /// Nothing is left of it in a build without ADDRESS_SANITIZER (`make asan` defines it).
    @inline(__always)
    func permit(_ byteCount: Int, of buffer: BufferID) {
        #if ADDRESS_SANITIZER
            let start = start(of: buffer)
            AddressSanitizer.allow(start, byteCount: byteCount)
            AddressSanitizer.forbid(start + byteCount, byteCount: bufferBytes - byteCount)
        #endif
    }

    /// Forbids all of the pool's memory, with the gaps between the buffers; or allows it again,
    /// before it goes back to the kernel.
    @inline(__always)
    static func permitAll(_ isAllowed: Bool, _ memory: UnsafeMutableRawPointer, byteCount: Int) {
        #if ADDRESS_SANITIZER
            if isAllowed {
                AddressSanitizer.allow(memory, byteCount: byteCount)
            } else {
                AddressSanitizer.forbid(memory, byteCount: byteCount)
            }
        #endif
    }
}
