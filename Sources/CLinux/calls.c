// The numbers of system calls by their names (asm/unistd.h). What not every architecture has, or
// not every version of the headers, is left out where it is missing.
#include <string.h>
#include <sys/syscall.h>

#include "confinement.h"

#define CALL(name) {#name, __NR_##name}

static const struct {
    const char *name;
    int number;
} calls[] = {
#ifdef __NR_accept
    CALL(accept),
#endif
    CALL(accept4),
#ifdef __NR_access
    CALL(access),
#endif
#ifdef __NR_arch_prctl
    CALL(arch_prctl),
#endif
    CALL(bind),
    CALL(brk),
    CALL(capget),
    CALL(capset),
    CALL(clock_getres),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(clone),
#ifdef __NR_clone3
    CALL(clone3),
#endif
    CALL(close),
#ifdef __NR_close_range
    CALL(close_range),
#endif
    CALL(connect),
    CALL(dup),
#ifdef __NR_dup2
    CALL(dup2),
#endif
    CALL(dup3),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
#ifdef __NR_epoll_pwait2
    CALL(epoll_pwait2),
#endif
#ifdef __NR_epoll_wait
    CALL(epoll_wait),
#endif
    CALL(eventfd2),
    CALL(execve),
    CALL(exit),
    CALL(exit_group),
    CALL(faccessat),
#ifdef __NR_faccessat2
    CALL(faccessat2),
#endif
    CALL(fcntl),
    CALL(fstat),
#ifdef __NR_fstatfs
    CALL(fstatfs),
#endif
    CALL(futex),
#ifdef __NR_futex_waitv
    CALL(futex_waitv),
#endif
    CALL(getcpu),
    CALL(getcwd),
    CALL(getdents64),
    CALL(getegid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getgroups),
    CALL(getpeername),
#ifdef __NR_getpgrp
    CALL(getpgrp),
#endif
    CALL(getpid),
    CALL(getppid),
    CALL(getrandom),
    CALL(getresgid),
    CALL(getresuid),
#ifdef __NR_getrlimit
    CALL(getrlimit),
#endif
    CALL(getrusage),
    CALL(getsid),
    CALL(getsockname),
    CALL(getsockopt),
    CALL(gettid),
    CALL(gettimeofday),
    CALL(getuid),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(io_uring_setup),
    CALL(ioctl),
    CALL(kill),
#ifdef __NR_landlock_add_rule
    CALL(landlock_add_rule),
#endif
#ifdef __NR_landlock_create_ruleset
    CALL(landlock_create_ruleset),
#endif
#ifdef __NR_landlock_restrict_self
    CALL(landlock_restrict_self),
#endif
    CALL(listen),
    CALL(lseek),
#ifdef __NR_lstat
    CALL(lstat),
#endif
    CALL(madvise),
    CALL(membarrier),
    CALL(mlock),
    CALL(mmap),
    CALL(mprotect),
    CALL(mremap),
    CALL(munmap),
    CALL(nanosleep),
#ifdef __NR_newfstatat
    CALL(newfstatat),
#endif
#ifdef __NR_open
    CALL(open),
#endif
    CALL(openat),
#ifdef __NR_pipe
    CALL(pipe),
#endif
    CALL(pipe2),
#ifdef __NR_poll
    CALL(poll),
#endif
    CALL(ppoll),
    CALL(prctl),
    CALL(pread64),
    CALL(prlimit64),
    CALL(pselect6),
    CALL(read),
#ifdef __NR_readlink
    CALL(readlink),
#endif
    CALL(readlinkat),
    CALL(readv),
    CALL(recvfrom),
    CALL(recvmmsg),
    CALL(recvmsg),
    CALL(restart_syscall),
#ifdef __NR_rseq
    CALL(rseq),
#endif
    CALL(rt_sigaction),
    CALL(rt_sigpending),
    CALL(rt_sigprocmask),
    CALL(rt_sigqueueinfo),
    CALL(rt_sigreturn),
    CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait),
    CALL(sched_getaffinity),
    CALL(sched_getparam),
    CALL(sched_getscheduler),
    CALL(sched_setaffinity),
    CALL(sched_yield),
    CALL(seccomp),
#ifdef __NR_select
    CALL(select),
#endif
    CALL(sendmmsg),
    CALL(sendmsg),
    CALL(sendto),
    CALL(set_robust_list),
    CALL(set_tid_address),
    CALL(setpriority),
#ifdef __NR_setrlimit
    CALL(setrlimit),
#endif
    CALL(setsockopt),
    CALL(shutdown),
    CALL(sigaltstack),
    CALL(socket),
    CALL(socketpair),
    CALL(splice),
#ifdef __NR_stat
    CALL(stat),
#endif
    CALL(statfs),
#ifdef __NR_statx
    CALL(statx),
#endif
    CALL(sysinfo),
    CALL(tgkill),
#ifdef __NR_time
    CALL(time),
#endif
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(umask),
    CALL(uname),
#ifdef __NR_unlink
    CALL(unlink),
#endif
    CALL(unlinkat),
#ifdef __NR_vfork
    CALL(vfork),
#endif
    CALL(wait4),
    CALL(waitid),
    CALL(write),
    CALL(writev),
};

int clinux_call_number(const char *name) {
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i].name, name) == 0) return calls[i].number;
    return -1;
}
