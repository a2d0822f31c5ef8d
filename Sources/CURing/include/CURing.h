// CURing: the C shim between Swift and liburing 2.3.
//
// Swift cannot import macros over enum constants, function-like macros or the memory-ordered loads
// and stores that a ring needs, and liburing 2.3 (2022) does not know what newer kernels offer.
// This header holds the inline operations of the hot path; CURing.c holds the set-up. Every
// function returns 0 or a count on success and -errno on failure, so that nothing above reads
// errno.
#ifndef CURING_H
#define CURING_H

// errno.h comes before liburing.h, which defines _GNU_SOURCE: the C library then keeps the
// definitions that Swift's Glibc module was built with, and one type with two definitions cannot be
// imported.
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

// ---- what liburing 2.3 lacks (values from the kernel's uapi; gated at run time, never by header)
// ----

#define CURING_FEATURE_RECVSEND_BUNDLE (1U << 14)  // Linux 6.10
#define CURING_FEATURE_MIN_TIMEOUT (1U << 15)      // Linux 6.12
#define CURING_FEATURE_NO_IOWAIT (1U << 17)        // Linux 6.15
#define CURING_ENTER_NO_IOWAIT (1U << 7)           // Linux 6.15
#define CURING_OP_FIXED_FD_INSTALL 54              // Linux 6.8

// The flags of the set-up ladder as Swift-importable constants.
static const uint32_t CURING_SETUP_CQSIZE = IORING_SETUP_CQSIZE;
static const uint32_t CURING_SETUP_CLAMP = IORING_SETUP_CLAMP;
static const uint32_t CURING_SETUP_SUBMIT_ALL = IORING_SETUP_SUBMIT_ALL;
static const uint32_t CURING_SETUP_COOP_TASKRUN = IORING_SETUP_COOP_TASKRUN;
static const uint32_t CURING_SETUP_SINGLE_ISSUER = IORING_SETUP_SINGLE_ISSUER;
static const uint32_t CURING_SETUP_DEFER_TASKRUN = IORING_SETUP_DEFER_TASKRUN;

static const uint32_t CURING_CQE_BUFFER = IORING_CQE_F_BUFFER;
static const uint32_t CURING_CQE_MORE = IORING_CQE_F_MORE;
static const uint32_t CURING_CQE_BUFFER_SHIFT = IORING_CQE_BUFFER_SHIFT;

/// The most pieces that one vectored send carries.
#define CURING_VECTOR_PIECES 16
/// The most buffer rings ("buffer groups") that one ring serves.
#define CURING_BUFFER_GROUPS 4

/// The message header and the pieces of one vectored send. The kernel copies both while it takes
/// the submission (IORING_FEAT_SUBMIT_STABLE, Linux 5.5), so one per submission queue entry is
/// enough.
struct curing_vector {
    struct msghdr header;
    struct iovec pieces[CURING_VECTOR_PIECES];
};

/// A ring of provided buffers, shared with the kernel (Linux 5.19).
struct curing_buffer_ring {
    struct io_uring_buf_ring *ring;  // NULL while unused
    uint32_t entries;
    uint32_t staged;  // buffers added since the last commit
};

/// One io_uring instance with what the hot path needs beside it.
struct curing_ring {
    struct io_uring ring;
    uint32_t enter_flags;  // added to every enter: registered ring, no-iowait
    uint32_t setup_flags;  // what the ladder ended with
    uint32_t enters;       // wrapping count of io_uring_enter calls
    struct curing_vector *vectors;  // one per submission queue entry
    struct curing_buffer_ring groups[CURING_BUFFER_GROUPS];
};

/// What the set-up asks for.
struct curing_options {
    uint32_t submission_entries;
    uint32_t completion_entries;
    uint32_t refused_flags;  // set-up flags not to ask for, for tests of older kernels
    bool restricted;         // takes no submission before curing_restrict
};

/// What a restricted ring may be asked for beside what every driver does.
struct curing_restriction {
    bool connects;
    bool registers_files;
    bool writes;  // for a fault of the bug bank
};

/// Opens a ring on the calling thread, stepping down one flag at a time on EINVAL and halving the
/// sizes on ENOMEM. Returns 0 or -errno.
int curing_open(struct curing_ring *ring, const struct curing_options *options);
/// Has a ring that was opened `restricted` take submissions, and those alone that a driver makes
/// (IORING_REGISTER_RESTRICTIONS, Linux 5.10): it opens nothing, and nothing more is registered
/// with it. From the thread that uses it: SINGLE_ISSUER takes the one that enables a ring for its
/// issuer.
int curing_restrict(struct curing_ring *ring, const struct curing_restriction *restriction);
/// Unregisters the buffer rings, then closes the ring: the other order lets the kernel write into
/// freed memory.
void curing_close(struct curing_ring *ring);
/// Whether the kernel knows an opcode (IORING_REGISTER_PROBE, Linux 5.6): 1, 0 or -errno.
int curing_supports(struct curing_ring *ring, int opcode);
/// Registers a buffer ring of `entries` (a power of two, at most 32768) as group `group`.
int curing_open_group(struct curing_ring *ring, uint16_t group, uint32_t entries);
/// Tests by a socket pair whether a multishot receive (Linux 6.0) works: 0 or -errno.
int curing_probe_multishot(struct curing_ring *ring);

/// Registers an empty table of `entries` files (Linux 5.19), at most RLIMIT_NOFILE of them.
int curing_open_files(struct curing_ring *ring, uint32_t entries);
/// Makes a plain descriptor of a registered file (Linux 6.8), by an enter of its own that neither
/// waits nor runs task work. Returns it or -errno. Its completion stays in the queue with a result
/// below 0; one that did not fit into the queue comes late, with the descriptor.
int curing_install(struct curing_ring *ring, uint32_t slot, uint64_t token);
/// Makes a TCP socket that is a registered file from the start (Linux 5.19); like
/// `curing_install`. Returns its slot or -errno.
int curing_socket(struct curing_ring *ring, int family, uint64_t token);

// ---- submissions ----

// A registered file is named by its slot and this bit, which becomes IOSQE_FIXED_FILE.
#define CURING_REGISTERED_SHIFT 30
static const int32_t CURING_REGISTERED = 1 << CURING_REGISTERED_SHIFT;

/// Says whether the entry's descriptor is a plain or a registered one.
static inline void curing_set_file(struct io_uring_sqe *sqe, int fd) {
    sqe->fd = fd & ~CURING_REGISTERED;
    sqe->flags |= (uint8_t)((uint32_t)fd >> CURING_REGISTERED_SHIFT) * IOSQE_FIXED_FILE;
}

/// Free submission queue entries.
static inline uint32_t curing_submission_room(const struct curing_ring *r) {
    const struct io_uring_sq *sq = &r->ring.sq;
    return sq->ring_entries - (sq->sqe_tail - io_uring_smp_load_acquire(sq->khead));
}

/// The next entry, cleared by the prepare function that follows. The caller has checked the room.
static inline struct io_uring_sqe *curing_next(struct curing_ring *r, uint64_t token) {
    struct io_uring_sq *sq = &r->ring.sq;
    struct io_uring_sqe *sqe = &sq->sqes[sq->sqe_tail & sq->ring_mask];
    sq->sqe_tail += 1;
    sqe->user_data = token;
    return sqe;
}

static inline void curing_accept(struct curing_ring *r, int listener, bool multishot,
                                 bool registered, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    // Accepted descriptors do not inherit CLOEXEC from the listener: it is asked for here. A
    // registered file is no descriptor of the process, and may not have that flag.
    int flags = registered ? 0 : SOCK_CLOEXEC;
    if (multishot)
        io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, flags);
    else
        io_uring_prep_accept(sqe, listener, NULL, NULL, flags);
    // liburing 2.3 turns "any slot" into "no slot" where the accept is not multishot.
    if (registered) sqe->file_index = IORING_FILE_INDEX_ALLOC;
}

static inline void curing_connect(struct curing_ring *r, int fd, const void *address,
                                  uint32_t length, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_connect(sqe, 0, (const struct sockaddr *)address, length);
    curing_set_file(sqe, fd);
}

static inline void curing_receive(struct curing_ring *r, int fd, uint16_t group, bool multishot,
                                  uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    if (multishot)
        io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    else
        io_uring_prep_recv(sqe, fd, NULL, 0, 0);
    curing_set_file(sqe, fd);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = group;
}

static inline void curing_send(struct curing_ring *r, int fd, const void *bytes, uint32_t count,
                               uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_send(sqe, fd, bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
    curing_set_file(sqe, fd);
}

static inline struct curing_vector *curing_next_vector(struct curing_ring *r) {
    return &r->vectors[r->ring.sq.sqe_tail & r->ring.sq.ring_mask];
}

/// Sets a piece of the next vectored send; then call curing_send_vector.
static inline void curing_set_piece(struct curing_ring *r, uint32_t index, const void *bytes,
                                    size_t count) {
    curing_next_vector(r)->pieces[index] = (struct iovec){(void *)bytes, count};
}

static inline void curing_send_vector(struct curing_ring *r, int fd, uint32_t pieces,
                                      uint64_t token) {
    struct curing_vector *vector = curing_next_vector(r);
    struct io_uring_sqe *sqe = curing_next(r, token);
    vector->header.msg_iov = vector->pieces;
    vector->header.msg_iovlen = pieces;
    io_uring_prep_sendmsg(sqe, fd, &vector->header, MSG_NOSIGNAL | MSG_WAITALL);
    curing_set_file(sqe, fd);
}

static inline void curing_poll_readable(struct curing_ring *r, int fd, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_poll_add(sqe, fd, POLLIN);
}

static inline void curing_poll_writable(struct curing_ring *r, int fd, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_poll_add(sqe, fd, POLLOUT);
}

/// Asks for the end of the operation that carries `target`. Success posts no completion.
static inline void curing_cancel(struct curing_ring *r, uint64_t target, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_cancel64(sqe, target, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/// Ends one direction of a socket or both (shutdown(2)), on a thread of the kernel. Success posts
/// no completion.
static inline void curing_shutdown(struct curing_ring *r, int fd, int how, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_shutdown(sqe, fd, how);
    curing_set_file(sqe, fd);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/// Closes a descriptor. Success posts no completion.
static inline void curing_close_descriptor(struct curing_ring *r, int fd, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    if (fd & CURING_REGISTERED)
        io_uring_prep_close_direct(sqe, (unsigned)(fd & ~CURING_REGISTERED));
    else
        io_uring_prep_close(sqe, fd);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

// ---- provided buffers ----

/// Stages a buffer for the kernel. Address, length and id are always written anew: the kernel
/// changes the length of a truncated buffer inside the ring.
static inline void curing_provide(struct curing_ring *r, uint16_t group, void *bytes,
                                  uint32_t count, uint16_t buffer) {
    struct curing_buffer_ring *g = &r->groups[group];
    io_uring_buf_ring_add(g->ring, bytes, count, buffer, io_uring_buf_ring_mask(g->entries),
                          (int)g->staged);
    g->staged += 1;
}

/// Publishes what was staged.
static inline void curing_commit_buffers(struct curing_ring *r) {
    for (int i = 0; i < CURING_BUFFER_GROUPS; i++) {
        struct curing_buffer_ring *g = &r->groups[i];
        if (g->staged != 0) {
            io_uring_buf_ring_advance(g->ring, (int)g->staged);
            g->staged = 0;
        }
    }
}

// ---- the turn ----

/// Publishes what was queued; returns how many submissions the kernel has not taken yet. The index
/// array was filled with the identity at set-up, so publishing is one store.
static inline uint32_t curing_publish(struct curing_ring *r) {
    struct io_uring_sq *sq = &r->ring.sq;
    io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
    sq->sqe_head = sq->sqe_tail;
    return sq->sqe_tail - io_uring_smp_load_acquire(sq->khead);
}

/// Submits everything and does nothing else: no wait, no task work.
static inline int curing_submit(struct curing_ring *r) {
    uint32_t submit = curing_publish(r);
    r->enters += 1;
    return io_uring_enter2((unsigned)r->ring.enter_ring_fd, submit, 0, r->enter_flags, NULL,
                           _NSIG / 8);
}

/// Submits everything, waits for `wait` completions or until `timeout_nanoseconds` have passed
/// (negative: no limit), and runs deferred task work: one io_uring_enter. Returns the number of
/// submissions the kernel took, or -errno; -ETIME when the time ran out.
static inline int curing_enter(struct curing_ring *r, uint32_t wait, int64_t timeout_nanoseconds) {
    uint32_t submit = curing_publish(r);
    uint32_t flags = r->enter_flags | IORING_ENTER_GETEVENTS;
    r->enters += 1;
    if (wait == 0 || timeout_nanoseconds < 0)
        return io_uring_enter2((unsigned)r->ring.enter_ring_fd, submit, wait, flags, NULL,
                               _NSIG / 8);
    struct __kernel_timespec ts = {.tv_sec = timeout_nanoseconds / 1000000000,
                                   .tv_nsec = timeout_nanoseconds % 1000000000};
    struct io_uring_getevents_arg arg = {.ts = (uint64_t)(uintptr_t)&ts};
    return io_uring_enter2((unsigned)r->ring.enter_ring_fd, submit, wait,
                           flags | IORING_ENTER_EXT_ARG, (sigset_t *)&arg, sizeof arg);
}

/// One completion, copied out of the queue.
struct curing_completion {
    uint64_t token;
    int32_t result;
    uint32_t flags;
};

static inline uint32_t curing_completion_head(const struct curing_ring *r) {
    return *r->ring.cq.khead;
}
static inline uint32_t curing_completion_tail(const struct curing_ring *r) {
    return io_uring_smp_load_acquire(r->ring.cq.ktail);
}
static inline struct curing_completion curing_completion_at(const struct curing_ring *r,
                                                            uint32_t index) {
    const struct io_uring_cqe *cqe = &r->ring.cq.cqes[index & r->ring.cq.ring_mask];
    return (struct curing_completion){cqe->user_data, cqe->res, cqe->flags};
}
/// Gives the entries before `head` back to the kernel.
static inline void curing_completion_advance(struct curing_ring *r, uint32_t head) {
    io_uring_smp_store_release(r->ring.cq.khead, head);
}
/// Whether completions wait in the kernel's overflow list. `koverflow` stays 0 when nothing is
/// lost, so the flag is what counts.
static inline bool curing_overflowed(const struct curing_ring *r) {
    return IO_URING_READ_ONCE(*r->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW;
}

#endif
