// Memory: pages straight from the kernel. They are zero, and cost nothing until they are touched,
// so a table can be laid out for its largest size.

import Glibc
import Net

enum Memory {
    /// Maps zeroed pages.
    static func map(byteCount: Int) throws(SystemError) -> UnsafeMutableRawPointer {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let pages = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let pages, pages != MAP_FAILED else { throw SystemError("mmap", .outOfMemory) }
        return pages
    }

    static func unmap(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        munmap(pages, byteCount)
    }
}
