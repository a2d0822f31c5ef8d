// That AddressSanitizer sees who may touch a buffer. These tests exist in its builds alone: `make
// asan`.

#if ADDRESS_SANITIZER
    import Net
    import Testing

    @testable import Engine

    struct PoisonTests {
        /// What the sanitizer says of such an access.
        private static let complaint = "use-after-poison"

        private func complaint(in result: ExitTest.Result?) -> Bool {
            String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
                .contains(Self.complaint)
        }

        @Test func aFreeBufferIsNotRead() async {
            let result = await #expect(
                processExitsWith: .failure,
                observing: [\.standardErrorContent]
            ) {
                var pool = try BufferPoolTests.makePool()
                let buffer = pool.take()!
                let start = pool.start(of: buffer)
                pool.release(buffer)
                print(start.load(as: UInt8.self))
            }
            #expect(complaint(in: result))
        }

        @Test func aBufferOfTheKernelIsNotWritten() async {
            let result = await #expect(
                processExitsWith: .failure,
                observing: [\.standardErrorContent]
            ) {
                var pool = try BufferPoolTests.makePool()
                let buffer = pool.takeForKernel()!
                pool.start(of: buffer).storeBytes(of: 1, as: UInt8.self)
            }
            #expect(complaint(in: result))
        }

        @Test func nothingIsReadBehindWhatWasReceived() async {
            let result = await #expect(
                processExitsWith: .failure,
                observing: [\.standardErrorContent]
            ) {
                var pool = try BufferPoolTests.makePool()
                let buffer = pool.takeForKernel()!
                _ = pool.received(buffer.rawValue, byteCount: 10)
                print(pool.start(of: buffer).load(fromByteOffset: 10, as: UInt8.self))
            }
            #expect(complaint(in: result))
        }

        @Test func whatABufferHoldsIsRead() throws {
            var pool = try BufferPoolTests.makePool()
            let first = pool.take()!
            pool.start(of: first).storeBytes(of: 7, toByteOffset: 63, as: UInt8.self)
            pool.fill(first, byteCount: 64)
            pool.startSending(first)
            let last = pool.bytes(of: first)[63]
            #expect(last == 7)
            pool.takeBack(first)
            pool.release(first)
            let second = pool.take()!
            let again = pool.start(of: second).load(fromByteOffset: 63, as: UInt8.self)
            #expect(second == first && again == 7)
        }
    }
#endif
