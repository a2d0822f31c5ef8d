// SeccompProfile: the system calls that a container of ours may make. The default profiles of
// container runtimes forbid io_uring, and to run without any profile would give away far more than
// three calls.

/// A seccomp profile as Docker, Podman and Kubernetes (`localhostProfile`) read it.
///
/// It is a list of what is allowed, in the plain form of the OCI runtime specification: Docker's
/// own form has conditions besides (`includes`, `excludes`, `archMap`), which containerd does not
/// read.
public enum SeccompProfile {
    /// What makes rings usable.
    public static let ring = ["io_uring_enter", "io_uring_register", "io_uring_setup"]

    /// What the service, its load generator, their C library and a runtime that starts them call.
    /// None of it loads code into the kernel, mounts, traces, or makes a namespace.
    public static let plain = words(
        """
        accept accept4 access arch_prctl bind brk capget capset chdir clock_getres clock_gettime
        clock_nanosleep close close_range connect dup dup2 dup3 epoll_create1 epoll_ctl
        epoll_pwait epoll_pwait2 epoll_wait eventfd2 execve exit exit_group faccessat faccessat2
        fadvise64 fallocate fchdir fchmod fchmodat fchown fcntl fdatasync flock fstat fstatfs
        fsync ftruncate futex futex_waitv getcpu getcwd getdents64 getegid geteuid getgid
        getgroups getpeername getpgrp getpid getppid getrandom getresgid getresuid getrlimit
        getrusage getsid getsockname getsockopt gettid gettimeofday getuid ioctl kill
        landlock_add_rule landlock_create_ruleset landlock_restrict_self linkat listen lseek lstat
        madvise membarrier mkdir mkdirat mlock mlock2 mmap mprotect mremap msync munlock munmap
        nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
        poll ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64 pwritev read readlink
        readlinkat readv recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir
        rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_tgsigqueueinfo sched_getaffinity sched_getparam sched_getscheduler
        sched_setaffinity sched_yield seccomp select sendfile sendmmsg sendmsg sendto
        set_robust_list set_tid_address setgid setgroups setpgid setpriority setresgid setresuid
        setrlimit setsid setsockopt setuid shutdown sigaltstack signalfd4 socketpair splice stat
        statfs statx symlinkat sysinfo tee tgkill time timerfd_create timerfd_gettime
        timerfd_settime times tkill umask uname unlink unlinkat utimensat vfork vmsplice wait4
        waitid write writev
        """
    )

    /// The families of sockets: local ones for systemd's and the log's, IPv4, IPv6, and netlink, by
    /// which the C library learns of addresses.
    static let socketFamilies = [1, 2, 10, 16]

    /// The flags of clone(2) that make namespaces. A thread is made without them, and clone3(2),
    /// whose flags no filter can see, is not there: the C library then takes clone.
    static let namespaceFlags = 0x7E02_0000

    /// The profile. What it does not allow fails with ENOSYS, as on a kernel that does not have it,
    /// for which libraries have another way.
    public static var text: String {
        let conditions =
            [#"{"index": 0, "value": \#(namespaceFlags), "op": "SCMP_CMP_MASKED_EQ"}"#]
            + socketFamilies.map { #"{"index": 0, "value": \#($0), "op": "SCMP_CMP_EQ"}"# }
        let names = ["clone"] + socketFamilies.map { _ in "socket" }
        let conditional = zip(names, conditions).map { name, condition in
            #"    {"names": ["\#(name)"], "action": "SCMP_ACT_ALLOW", "args": [\#(condition)]}"#
        }
        return """
            {
              "defaultAction": "SCMP_ACT_ERRNO",
              "defaultErrnoRet": 38,
              "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
              "syscalls": [
            \(([allowing(ring), allowing(plain)] + conditional).joined(separator: ",\n"))
              ]
            }

            """
    }

    private static func allowing(_ names: [String]) -> String {
        """
            {
              "names": [
                \(names.map { "\"\($0)\"" }.joined(separator: ",\n        "))
              ],
              "action": "SCMP_ACT_ALLOW"
            }
        """
    }

    private static func words(_ text: String) -> [String] {
        text.split { $0 == " " || $0 == "\n" }.map(String.init)
    }
}
