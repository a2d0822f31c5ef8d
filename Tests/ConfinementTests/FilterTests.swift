// The programs of the filters, run by hand: what they answer to each call there is, and that those
// of the hot path need no look at an argument.

import CLinux
import Doctor
import Testing

@testable import Confinement

/// What the kernel does with a filter's program (struct seccomp_data, seccomp(2)).
private struct Machine {
    let filter: CallFilter

    enum Answer: Equatable {
        case allow
        case fail(UInt32)
    }

    /// - Returns: the answer, and whether arguments were looked at for it.
    func answer(
        _ number: UInt32,
        _ arguments: [UInt64] = [],
        architecture: UInt32 = clinux_architecture()
    ) -> (Answer, looked: Bool) {
        var (place, value, looked) = (0, UInt32(0), false)
        while true {
            let instruction = filter.instructions[place]
            place += 1
            switch instruction.code {
            case 0x20 where instruction.value == 0: value = number
            case 0x20 where instruction.value == 4: value = architecture
            case 0x20:
                looked = true
                let index = Int(instruction.value - 16) / 8
                value = UInt32(truncatingIfNeeded: index < arguments.count ? arguments[index] : 0)
            case 0x54: value &= instruction.value
            case 0x05: place += Int(instruction.value)
            case 0x15, 0x35:
                let holds =
                    instruction.code == 0x15
                    ? value == instruction.value : value >= instruction.value
                place += Int(holds ? instruction.jump_true : instruction.jump_false)
            case 0x06 where instruction.value == 0x7fff_0000: return (.allow, looked)
            case 0x06: return (.fail(instruction.value & 0xffff), looked)
            default: preconditionFailure("no such instruction: \(instruction)")
            }
        }
    }

    func answer(_ call: String, _ arguments: UInt64...) -> Answer {
        answer(CallFilter.number(of: call)!, arguments).0
    }
}

struct FilterTests {
    private let echo = Machine(filter: AllowedCalls.worker(connects: false))
    private let relay = Machine(filter: AllowedCalls.worker(connects: true))
    private let admin = Machine(filter: AllowedCalls.admin)
    private let process = Machine(filter: AllowedCalls.process)
    private let refused = Machine.Answer.fail(1)

    /// Allowed without a test are exactly the calls of the rules; and each number has an answer.
    @Test func theSearchFindsEveryCall() {
        let plain = Set(["read", "futex", "io_uring_enter"].compactMap(CallFilter.number(of:)))
        let filter = Machine(
            filter: CallFilter(CallRule.plain("read futex io_uring_enter"), absent: ["clone3"])
        )
        for number in (0...700 as ClosedRange<UInt32>) {
            let expected: Machine.Answer =
                plain.contains(number)
                ? .allow
                : number == CallFilter.number(of: "clone3") || number >= 463 ? .fail(38) : refused
            #expect(filter.answer(number).0 == expected, "\(number)")
        }
        // The x32 interface of x86-64 has the same architecture and other numbers.
        #expect(filter.answer(0x4000_0000 | 0).0 == .fail(38))
    }

    @Test func anotherArchitectureMayCallNothing() {
        #expect(process.answer(3, architecture: 0x4000_0003).0 == refused)
    }

    /// The kernel remembers such an answer (Linux 5.11), so that the program is not run again.
    @Test(arguments: [
        "io_uring_enter", "epoll_wait", "epoll_pwait", "epoll_pwait2", "recvfrom", "sendto",
        "sendmsg", "accept4", "close", "read", "write", "splice", "shutdown", "futex", "epoll_ctl",
        "setsockopt", "getsockopt",
    ])
    func noArgumentOfAHotCallIsLookedAt(_ call: String) throws {
        // Not every architecture has epoll_wait.
        guard let number = CallFilter.number(of: call) else { return }
        for filter in [echo, relay, process] {
            let (answer, looked) = filter.answer(number)
            #expect(answer == .allow && !looked)
        }
    }

    @Test func argumentsDecide() {
        #expect(echo.answer("mmap", 0, 4096, 3) == .allow)
        #expect(echo.answer("mmap", 0, 4096, 5) == refused, "PROT_EXEC")
        #expect(echo.answer("io_uring_register", 3, 23) == .allow)
        #expect(echo.answer("io_uring_register", 3, 2) == refused, "IORING_REGISTER_FILES")
        #expect(echo.answer("ioctl", 3, 0x541B) == .allow)
        #expect(echo.answer("ioctl", 3, 0x5412) == refused, "TIOCSTI types for the terminal")
        #expect(relay.answer("socket", 2, 1 | 0o2000000) == .allow)
        #expect(relay.answer("socket", 10, 1) == .allow)
        #expect(relay.answer("socket", 2, 2) == refused, "SOCK_DGRAM")
        #expect(relay.answer("socket", 1, 1) == refused, "AF_UNIX")
        #expect(echo.answer("socket", 2, 1) == refused)
        #expect(admin.answer("openat", 0, 0, 0o2000000) == .allow)
        #expect(admin.answer("openat", 0, 0, 1) == refused, "O_WRONLY")
        #expect(admin.answer("openat", 0, 0, 0o100) == refused, "O_CREAT")
        #expect(process.answer("clone", 0x3D0F00) == .allow, "a thread")
        #expect(process.answer("clone", 0x1000_0000) == refused, "CLONE_NEWUSER")
        #expect(process.answer("clone3") == .fail(38))
    }

    /// A container whose runtime knows our profile refuses nothing that we would allow.
    @Test func theContainersProfileAllowsAll() {
        let profile = Set(SeccompProfile.plain + SeccompProfile.ring + ["clone", "socket"])
        #expect(AllowedCalls.names.subtracting(profile) == [])
        #expect(AllowedCalls.names.count > 100)
    }

    /// What the kernel takes in one program is 4096 instructions.
    @Test func theyAreShort() {
        for filter in [echo, relay, admin, process] {
            #expect(filter.filter.instructions.count < 300)
        }
    }

    @Test func aFilterIsToldFromAnother() {
        #expect(AllowedCalls.process.fingerprint == AllowedCalls.process.fingerprint)
        #expect(AllowedCalls.process.fingerprint != AllowedCalls.admin.fingerprint)
    }
}
