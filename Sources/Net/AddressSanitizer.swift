// AddressSanitizer: tells it which memory may be touched. It exists only in builds that `make asan`
// makes; others have nothing to tell it, and would not link.

#if ADDRESS_SANITIZER
    import CLinux

    /// The sanitizer's view of memory that is not the allocator's.
    public enum AddressSanitizer {
        /// A read or write of these bytes ends the process.
        public static func forbid(_ start: UnsafeMutableRawPointer, byteCount: Int) {
            __asan_poison_memory_region(start, byteCount)
        }

        /// These bytes may be read and written.
        public static func allow(_ start: UnsafeMutableRawPointer, byteCount: Int) {
            __asan_unpoison_memory_region(start, byteCount)
        }
    }
#endif
