// The set-up calls. See CLinux.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CLinux.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define RESULT(call) ((call) < 0 ? -errno : 0)

int clinux_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int clinux_first_byte(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    unsigned char byte = 0;
    ssize_t n = read(fd, &byte, 1);
    close(fd);
    return n == 1 ? byte : -EIO;
}

int clinux_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return RESULT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int clinux_epoll_remove(int epoll, int fd) {
    return RESULT(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL));
}

int clinux_epoll_wait(int epoll, struct epoll_event *events, int count,
                      int64_t timeout_nanoseconds) {
    static atomic_bool lacks_pwait2;
    int n = -1;
    if (timeout_nanoseconds > 0 && !atomic_load_explicit(&lacks_pwait2, memory_order_relaxed)) {
        struct timespec ts = {.tv_sec = timeout_nanoseconds / 1000000000,
                              .tv_nsec = timeout_nanoseconds % 1000000000};
        n = (int)syscall(SYS_epoll_pwait2, epoll, events, count, &ts, NULL, 0);
        if (n >= 0 || errno != ENOSYS) return n < 0 ? -errno : n;
        atomic_store_explicit(&lacks_pwait2, true, memory_order_relaxed);
    }
    int64_t milliseconds = timeout_nanoseconds < 0 ? -1 : (timeout_nanoseconds + 999999) / 1000000;
    n = epoll_wait(epoll, events, count, (int)milliseconds);
    return n < 0 ? -errno : n;
}

int clinux_socket(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

int clinux_set_option(int fd, int level, int name, int value) {
    return RESULT(setsockopt(fd, level, name, &value, sizeof value));
}

int clinux_get_option(int fd, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) < 0 ? -errno : value;
}

int clinux_bind(int fd, const void *address, uint32_t length) {
    return RESULT(bind(fd, address, length));
}
int clinux_listen(int fd, int backlog) { return RESULT(listen(fd, backlog)); }
int clinux_connect(int fd, const void *address, uint32_t length) {
    return RESULT(connect(fd, address, length));
}
int clinux_local_address(int fd, void *address, uint32_t *length) {
    return RESULT(getsockname(fd, address, length));
}

int clinux_peer_address(int fd, void *address, uint32_t *length) {
    return RESULT(getpeername(fd, address, length));
}

int clinux_unread_bytes(int fd) {
    int count = 0;
    return ioctl(fd, SIOCINQ, &count) < 0 ? -errno : count;
}

void clinux_set_waiting(int fd, bool waits) {
    int value = !waits;
    ioctl(fd, FIONBIO, &value);
}

int clinux_at_urgent_byte(int fd) {
    int is_there = 0;
    return ioctl(fd, SIOCATMARK, &is_there) < 0 ? -errno : is_there;
}

int clinux_peek(int fd) {
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 ? -errno : (int)n;
}

int clinux_unacknowledged_bytes(int fd) {
    int count = 0;
    return ioctl(fd, SIOCOUTQ, &count) < 0 ? -errno : count;
}

int clinux_linger_zero(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return RESULT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

int clinux_pipe(int *read_end, int *write_end, int byte_count) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    // A user without privileges has a limit (pipe(7)); what there is without this serves as well.
    fcntl(ends[1], F_SETPIPE_SZ, byte_count);
    *read_end = ends[0];
    *write_end = ends[1];
    return 0;
}

int64_t clinux_splice(int from, int to, size_t count) {
    // Without SPLICE_F_MORE: it would hold small pieces back for 200 ms.
    ssize_t n = splice(from, NULL, to, NULL, count, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    return n < 0 ? -errno : n;
}

int clinux_event_descriptor(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int clinux_event_signal(int fd) {
    uint64_t one = 1;
    return RESULT(write(fd, &one, sizeof one));
}

int clinux_event_drain(int fd) {
    uint64_t count;
    return RESULT(read(fd, &count, sizeof count));
}

int clinux_event_wait(int fd) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, -1) < 0) return -errno;
    uint64_t count;
    return read(fd, &count, sizeof count) < 0 ? -errno : (int)count;
}

int clinux_allowed_cpus(int *cpus, int capacity) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
    int found = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set)) continue;
        if (found < capacity) cpus[found] = cpu;
        found++;
    }
    return found;
}

int clinux_pin_thread(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return RESULT(sched_setaffinity(0, sizeof set, &set));
}

void clinux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
void clinux_yield(void) { sched_yield(); }

int clinux_thread_id(void) { return (int)syscall(SYS_gettid); }
void clinux_exact_timers(void) { prctl(PR_SET_TIMERSLACK, 1UL); }

static void fill_signals(sigset_t *set, uint64_t numbers) {
    sigemptyset(set);
    for (int number = 1; number < 64; number++)
        if (numbers >> number & 1) sigaddset(set, number);
}

void clinux_block_broken_pipe(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int clinux_send_datagram(const char *path, const char *bytes, size_t count) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) return -EINVAL;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(fd, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int result = sent < 0 ? -errno : 0;
    close(fd);
    return result;
}

int clinux_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0; }

int clinux_close_on_exec_from(int first) {
    // CLOSE_RANGE_CLOEXEC
    long result = syscall(SYS_close_range, (unsigned)first, ~0U, 1U << 2);
    return result < 0 ? -errno : 0;
}

int clinux_duplicate(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

int clinux_block_signals(uint64_t numbers) {
    sigset_t set;
    fill_signals(&set, numbers);
    signal(SIGPIPE, SIG_IGN);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int clinux_wait_signal(uint64_t numbers, int64_t timeout_nanoseconds) {
    sigset_t set;
    fill_signals(&set, numbers);
    for (;;) {
        int number;
        if (timeout_nanoseconds < 0) {
            number = sigwaitinfo(&set, NULL);
        } else {
            struct timespec ts = {.tv_sec = timeout_nanoseconds / 1000000000,
                                  .tv_nsec = timeout_nanoseconds % 1000000000};
            number = sigtimedwait(&set, NULL, &ts);
        }
        if (number >= 0) return number;
        if (errno != EINTR) return -errno;
    }
}

int clinux_descriptor_limits(uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
    return 0;
}

int64_t clinux_locked_memory_limit(void) {
    struct rlimit limit;
    // Whoever has CAP_IPC_LOCK is not bound by it; root stands for that here.
    if (geteuid() == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return -1;
    return limit.rlim_cur > INT64_MAX ? -1 : (int64_t)limit.rlim_cur;
}

int clinux_set_descriptor_limit(uint64_t soft) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = soft;
    return RESULT(setrlimit(RLIMIT_NOFILE, &limit));
}
