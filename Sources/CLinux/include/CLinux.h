// CLinux: the system calls that `import Glibc` hides from Swift or that report through errno.
//
// Every function returns 0 or a count on success and -errno on failure. EINTR is returned like any
// other error where the caller has to decide, and retried here where nobody ever wants it.
#ifndef CLINUX_H
#define CLINUX_H

// No _GNU_SOURCE here: Swift's Glibc module is built without it, and one type with two definitions
// cannot be imported. What needs it lives in CLinux.c.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "confinement.h"
#include "counting.h"
#include "transmission.h"

// ---- the hot calls of the epoll driver, inline ----

static inline int64_t clinux_receive(int fd, void *bytes, size_t count) {
    ssize_t n = recv(fd, bytes, count, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static inline int64_t clinux_send(int fd, const void *bytes, size_t count) {
    ssize_t n = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static inline int64_t clinux_send_vector(int fd, const struct iovec *pieces, size_t count) {
    struct msghdr header = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
    ssize_t n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static inline int64_t clinux_monotonic_nanoseconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/// Sends a datagram to a Unix socket, whose path is abstract where it begins with `@` (unix(7)).
/// Returns 0 or -errno.
int clinux_send_datagram(const char *path, const char *bytes, size_t count);
/// Two connected Unix sockets that keep messages apart (SOCK_SEQPACKET, unix(7)), CLOEXEC. Returns
/// 0 or -errno.
int clinux_message_pair(int *one, int *other);
/// Sends a message with descriptors (SCM_RIGHTS, unix(7)). Returns 0 or -errno.
int clinux_send_descriptors(int fd, const void *bytes, size_t count, const int *descriptors,
                            size_t descriptor_count);
/// Receives a message and its descriptors, which are closed on exec; `descriptor_count` goes in as
/// the room there is. Returns the bytes, 0 at the end, or -errno.
int64_t clinux_receive_descriptors(int fd, void *bytes, size_t capacity, int *descriptors,
                                   size_t *descriptor_count);
/// Waits until one of two descriptors is readable, or hung up. Returns a bit for each, 0 when
/// `timeout_milliseconds` have passed, or -errno.
int clinux_await_either(int one, int other, int timeout_milliseconds);
/// Has a descriptor closed on exec. Returns 0 or -errno.
int clinux_close_on_exec(int fd);
/// The same for all descriptors from one on (close_range(2), Linux 5.11).
int clinux_close_on_exec_from(int first);
/// Another descriptor of the same file, or -errno (F_DUPFD_CLOEXEC, fcntl(2)).
int clinux_duplicate(int fd);
static inline int clinux_close(int fd) { return close(fd) < 0 ? -errno : 0; }
static inline int clinux_shutdown(int fd, int how) { return shutdown(fd, how) < 0 ? -errno : 0; }

static const uint32_t CLINUX_EPOLL_IN = EPOLLIN;
static const uint32_t CLINUX_EPOLL_OUT = EPOLLOUT;
static const uint32_t CLINUX_EPOLL_URGENT = EPOLLPRI;
static const uint32_t CLINUX_EPOLL_PEER_FINISHED = EPOLLRDHUP;
static const uint32_t CLINUX_EPOLL_HANG_UP = EPOLLHUP;
static const uint32_t CLINUX_EPOLL_ERROR = EPOLLERR;
static const uint32_t CLINUX_EPOLL_EDGE = (uint32_t)EPOLLET;

// ---- set-up calls ----

/// Accepts one connection: CLOEXEC, non-blocking.
int clinux_accept(int listener);
/// The first byte of a file as a character, or -errno.
int clinux_first_byte(const char *path);

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int clinux_epoll_remove(int epoll, int fd);
/// Waits until `timeout_nanoseconds` have passed (negative: no limit). epoll_pwait2 (Linux 5.11)
/// where it exists, milliseconds rounded up elsewhere.
int clinux_epoll_wait(int epoll, struct epoll_event *events, int count,
                      int64_t timeout_nanoseconds);

int clinux_socket(int family);
int clinux_set_option(int fd, int level, int name, int value);
int clinux_get_option(int fd, int level, int name);
int clinux_bind(int fd, const void *address, uint32_t length);
int clinux_listen(int fd, int backlog);
int clinux_connect(int fd, const void *address, uint32_t length);
int clinux_local_address(int fd, void *address, uint32_t *length);
int clinux_peer_address(int fd, void *address, uint32_t *length);

/// Bytes that have arrived and were not received, up to an urgent one (SIOCINQ, tcp(7)).
int clinux_unread_bytes(int fd);
/// Whether the next byte is an urgent one (SIOCATMARK, tcp(7)).
int clinux_at_urgent_byte(int fd);
/// 1 where there is a byte to receive, which stays there; 0 after FIN (MSG_PEEK, recv(2)).
int clinux_peek(int fd);
/// Bytes that were handed over to be sent and not acknowledged (SIOCOUTQ, tcp(7)).
int clinux_unacknowledged_bytes(int fd);
/// Sets whether calls on a socket wait (FIONBIO).
void clinux_set_waiting(int fd, bool waits);
/// Makes the coming close an abort: RST instead of FIN.
int clinux_linger_zero(int fd);

/// A pipe with room for so many bytes, as far as the kernel lets it: CLOEXEC, non-blocking.
int clinux_pipe(int *read_end, int *write_end, int byte_count);
/// Moves up to `count` bytes between a pipe and a socket, without copying them and without waiting
/// for the pipe; whether it waits for the socket is the socket's (splice(2)).
int64_t clinux_splice(int from, int to, size_t count);

int clinux_event_descriptor(void);
int clinux_event_signal(int fd);
int clinux_event_drain(int fd);
/// Blocks until the descriptor has been signalled; returns how often.
int clinux_event_wait(int fd);

/// Fills `cpus` with the numbers of the CPUs this process may run on; returns how many there are.
int clinux_allowed_cpus(int *cpus, int capacity);
int clinux_pin_thread(int cpu);
void clinux_name_thread(const char *name);
/// Lets others run on this CPU first, where any want to.
void clinux_yield(void);
int clinux_thread_id(void);
/// Lets the calling thread's timers fire without slack (PR_SET_TIMERSLACK).
void clinux_exact_timers(void);

/// Blocks signals, a bit for each number, in the calling thread and those it starts, and ignores
/// SIGPIPE.
int clinux_block_signals(uint64_t numbers);
/// Lets no write of the calling thread raise SIGPIPE.
void clinux_block_broken_pipe(void);
/// Waits for one of them. Returns its number, -EAGAIN when `timeout_nanoseconds` (negative: no
/// limit) have passed.
int clinux_wait_signal(uint64_t numbers, int64_t timeout_nanoseconds);

int clinux_descriptor_limits(uint64_t *soft, uint64_t *hard);
int clinux_set_descriptor_limit(uint64_t soft);
/// Bytes that this process may lock in memory (RLIMIT_MEMLOCK); -1 for any number.
int64_t clinux_locked_memory_limit(void);

// ---- AddressSanitizer's own; there to be called only in its builds ----

void __asan_poison_memory_region(void const volatile *start, size_t count);
void __asan_unpoison_memory_region(void const volatile *start, size_t count);

#endif
