// AllowedCalls: which system calls a thread needs for its part. Everything is here that the C
// library, Swift's runtime and the engine call there; what is missing fails, and the tests of the
// executables run into it.

import Glibc

/// The parts, and their filters.
enum AllowedCalls {
    /// What any thread of ours does that runs: it has memory, time, descriptors, and an end.
    private static let common =
        CallRule.plain(
            """
            brk clock_getres clock_gettime clock_nanosleep close exit exit_group fcntl futex getcpu
            getpid getrandom getrusage gettid gettimeofday madvise membarrier mremap munmap
            nanosleep pread64 read readv restart_syscall rseq rt_sigaction rt_sigprocmask
            rt_sigreturn sched_getaffinity sched_yield set_robust_list sigaltstack sysinfo time
            uname write writev
            """
        ) + [
            // No new code.
            CallRule(call: "mmap", tests: [CallRule.Test(argument: 2, mask: 4, values: [0])]),
            CallRule(call: "mprotect", tests: [CallRule.Test(argument: 2, mask: 4, values: [0])]),
        ]

    /// Serving what has connected: by calls, and through a pipe.
    private static let serving =
        CallRule.plain(
            """
            accept accept4 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2
            getpeername getsockname getsockopt pipe2 poll ppoll recvfrom recvmsg sendmsg sendto
            setsockopt shutdown splice
            """
        ) + [
            // FIONBIO, SIOCINQ, SIOCOUTQ, SIOCATMARK (asm-generic/ioctls.h, asm-generic/sockios.h).
            CallRule(
                call: "ioctl",
                tests: [CallRule.Test(argument: 1, values: [0x5421, 0x541B, 0x5411, 0x8905])]
            )
        ]

    /// Entering a ring, and letting go of what was registered with it: IORING_UNREGISTER_RING_FDS
    /// and IORING_UNREGISTER_PBUF_RING.
    private static let ring = [
        CallRule(call: "io_uring_enter"),
        CallRule(
            call: "io_uring_register",
            tests: [CallRule.Test(argument: 1, values: [21, 23])]
        ),
    ]

    /// Connecting by TCP.
    private static let connecting = [
        CallRule(call: "connect"),
        CallRule(
            call: "socket",
            tests: [
                CallRule.Test(argument: 0, values: [UInt32(AF_INET), UInt32(AF_INET6)]),
                // The rest are SOCK_NONBLOCK and SOCK_CLOEXEC.
                CallRule.Test(argument: 1, mask: 0xF, values: [1]),
            ]
        ),
    ]

    /// The end by abort(3): a signal to a thread of this process, and of no other.
    private static var aborting: [CallRule] {
        [
            CallRule(
                call: "tgkill",
                tests: [CallRule.Test(argument: 0, values: [UInt32(getpid())])]
            )
        ]
    }

    /// Reading files, and removing the socket's.
    private static let looking =
        CallRule.plain(
            """
            access faccessat faccessat2 fstat fstatfs getcwd getdents64 geteuid getrlimit getuid
            lseek lstat newfstatat prlimit64 readlink readlinkat stat statfs statx unlink unlinkat
            """
        )
        + ["open", "openat"].enumerated().map { place, call in
            // None of O_WRONLY, O_RDWR, O_CREAT and O_TRUNC.
            CallRule(
                call: call,
                tests: [CallRule.Test(argument: 1 + place, mask: 0x243, values: [0])]
            )
        }

    /// What the main thread does beside: it reloads, opens logs, looks names up, starts threads,
    /// tells systemd, and executes its successor, which is held to the same.
    private static let governing =
        CallRule.plain(
            """
            arch_prctl bind capget capset connect dup dup2 dup3 close_range execve futex_waitv
            getegid getgid getgroups getpgrp getppid getresgid getresuid getsid io_uring_enter
            io_uring_register io_uring_setup ioctl kill landlock_add_rule
            landlock_create_ruleset landlock_restrict_self listen mlock mmap mprotect open openat
            pipe prctl pselect6 recvmmsg rt_sigpending rt_sigqueueinfo rt_sigsuspend
            rt_sigtimedwait sched_getparam sched_getscheduler sched_setaffinity seccomp select
            sendmmsg set_tid_address setpriority setrlimit socketpair tgkill timerfd_create
            timerfd_settime umask vfork wait4 waitid
            """
        ) + [
            // CLONE_NEWNS and its like: no namespaces, with which attacks on the kernel begin.
            CallRule(
                call: "clone",
                tests: [CallRule.Test(argument: 0, mask: 0x7E02_0000, values: [0])]
            ),
            CallRule(
                call: "socket",
                tests: [
                    CallRule.Test(
                        argument: 0,
                        values: [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK].map { UInt32($0) }
                    )
                ]
            ),
        ]

    /// For a worker, and for whoever else has to do with bytes from outside.
    static func worker(connects: Bool) -> CallFilter {
        CallFilter(common + serving + ring + aborting + (connects ? connecting : []))
    }

    /// For the admin endpoint.
    static var admin: CallFilter { CallFilter(common + serving + aborting + looking) }

    /// For the process. Of rules for one call the last holds. What makes threads since Linux 5.3
    /// cannot be looked into, and the C library has another way.
    static var process: CallFilter {
        CallFilter(common + serving + looking + governing, absent: ["clone3"])
    }

    /// The names of all calls that some thread may make.
    static var names: Set<String> {
        Set((common + serving + looking + governing).map(\.call))
    }
}
