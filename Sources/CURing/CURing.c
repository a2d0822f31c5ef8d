// Set-up and probes: everything that runs once per ring. See CURing.h.
#include "CURing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// The set-up ladder, in the order in which flags are given up: newest first. Without any of them
// the ring still works; each buys something.
static const uint32_t ladder[] = {
    IORING_SETUP_DEFER_TASKRUN,  // 6.1: completions run only inside our own enter, in one batch
    IORING_SETUP_SINGLE_ISSUER,  // 6.0: one thread submits; locks and task look-ups fall away
    IORING_SETUP_COOP_TASKRUN,   // 5.19: no inter-processor interrupt when a completion arrives
    IORING_SETUP_SUBMIT_ALL,     // 5.18: one bad submission does not stop the batch
};
enum { ladder_count = sizeof ladder / sizeof ladder[0] };

// CQSIZE (5.5) and CLAMP (5.6) are older than anything this shim can run on: buffer rings need
// 5.19.
static const uint32_t base_flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

static int open_with_flags(struct curing_ring *r, const struct curing_options *options,
                           uint32_t flags) {
    uint32_t submissions = options->submission_entries;
    uint32_t completions = options->completion_entries;
    for (;;) {
        struct io_uring_params params;
        memset(&params, 0, sizeof params);
        params.flags = flags;
        params.cq_entries = completions;
        int result = io_uring_queue_init_params(submissions, &r->ring, &params);
        // Ring memory is charged to RLIMIT_MEMLOCK for users without CAP_IPC_LOCK, and old kernels
        // need contiguous pages: a smaller ring may still fit.
        if (result != -ENOMEM || submissions <= 8) return result;
        submissions /= 2;
        completions = completions / 2 > submissions ? completions / 2 : submissions;
    }
}

static int try_ladder(struct curing_ring *r, const struct curing_options *options) {
    uint32_t flags = base_flags | (options->restricted ? IORING_SETUP_R_DISABLED : 0);
    for (int i = 0; i < ladder_count; i++) flags |= ladder[i] & ~options->refused_flags;
    // DEFER_TASKRUN is only valid together with SINGLE_ISSUER.
    if (!(flags & IORING_SETUP_SINGLE_ISSUER)) flags &= ~(uint32_t)IORING_SETUP_DEFER_TASKRUN;
    int result = open_with_flags(r, options, flags);
    for (int i = 0; i < ladder_count && result == -EINVAL; i++) {
        if (!(flags & ladder[i])) continue;
        flags &= ~ladder[i];
        result = open_with_flags(r, options, flags);
    }
    r->setup_flags = flags;
    return result;
}

int curing_open(struct curing_ring *r, const struct curing_options *options) {
    memset(r, 0, sizeof *r);
    int result = try_ladder(r, options);
    if (result < 0) return result;

    struct io_uring_sq *sq = &r->ring.sq;
    for (unsigned i = 0; i < sq->ring_entries; i++) sq->array[i] = i;
    r->vectors = calloc(sq->ring_entries, sizeof *r->vectors);
    if (r->vectors == NULL) {
        io_uring_queue_exit(&r->ring);
        return -ENOMEM;
    }
    // 5.18: the enter skips the look-up of the ring's file. Where it is missing, nothing is lost.
    if (io_uring_register_ring_fd(&r->ring) == 1) r->enter_flags |= IORING_ENTER_REGISTERED_RING;
    // 6.15: an idle wait is not input/output wait, which would show as load and raise the clock
    // rate.
    if (r->ring.features & CURING_FEATURE_NO_IOWAIT) r->enter_flags |= CURING_ENTER_NO_IOWAIT;
    return 0;
}

enum { restrictions_max = 20 };

struct restrictions {
    struct io_uring_restriction entries[restrictions_max];
    uint32_t count;
};

static void allow_operation(struct restrictions *all, uint8_t operation) {
    struct io_uring_restriction *entry = &all->entries[all->count++];
    entry->opcode = IORING_RESTRICTION_SQE_OP;
    entry->sqe_op = operation;
}

static void allow_registration(struct restrictions *all, uint8_t operation) {
    struct io_uring_restriction *entry = &all->entries[all->count++];
    entry->opcode = IORING_RESTRICTION_REGISTER_OP;
    entry->register_op = operation;
}

// liburing 2.3 declares these two and does not have them.
static int register_with(const struct curing_ring *r, unsigned operation, const void *argument,
                         unsigned count) {
    long result = syscall(__NR_io_uring_register, r->ring.ring_fd, operation, argument, count);
    return result < 0 ? -errno : 0;
}

int curing_restrict(struct curing_ring *r, const struct curing_restriction *restriction) {
    static const uint8_t operations[] = {
        IORING_OP_ACCEPT,   IORING_OP_RECV,         IORING_OP_SEND,  IORING_OP_SENDMSG,
        IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE,
    };
    struct restrictions all;
    memset(&all, 0, sizeof all);
    for (size_t i = 0; i < sizeof operations; i++) allow_operation(&all, operations[i]);
    if (restriction->connects) allow_operation(&all, IORING_OP_CONNECT);
    if (restriction->registers_files) {
        allow_operation(&all, IORING_OP_SHUTDOWN);
        allow_operation(&all, CURING_OP_FIXED_FD_INSTALL);
        if (restriction->connects) allow_operation(&all, IORING_OP_SOCKET);
    }
    if (restriction->writes) {
        allow_operation(&all, IORING_OP_WRITE);
        allow_operation(&all, IORING_OP_WRITEV);
    }
    struct io_uring_restriction *flags = &all.entries[all.count++];
    flags->opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    flags->sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
    // What curing_close does.
    allow_registration(&all, IORING_UNREGISTER_PBUF_RING);
    allow_registration(&all, IORING_UNREGISTER_RING_FDS);
    int result = register_with(r, IORING_REGISTER_RESTRICTIONS, all.entries, all.count);
    if (result < 0) return result;
    return register_with(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static void close_group(struct curing_ring *r, uint16_t group) {
    struct curing_buffer_ring *g = &r->groups[group];
    if (g->ring == NULL) return;
    io_uring_unregister_buf_ring(&r->ring, group);
    munmap(g->ring, g->entries * sizeof(struct io_uring_buf));
    memset(g, 0, sizeof *g);
}

void curing_close(struct curing_ring *r) {
    for (uint16_t group = 0; group < CURING_BUFFER_GROUPS; group++) close_group(r, group);
    io_uring_queue_exit(&r->ring);
    free(r->vectors);
    r->vectors = NULL;
}

int curing_supports(struct curing_ring *r, int opcode) {
    struct io_uring_probe *probe = io_uring_get_probe_ring(&r->ring);
    if (probe == NULL) return -ENOSYS;
    int supported = io_uring_opcode_supported(probe, opcode);
    io_uring_free_probe(probe);
    return supported;
}

int curing_open_group(struct curing_ring *r, uint16_t group, uint32_t entries) {
    struct curing_buffer_ring *g = &r->groups[group];
    void *memory = mmap(NULL, entries * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                        MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    registration.ring_addr = (uint64_t)(uintptr_t)memory;
    registration.ring_entries = entries;
    registration.bgid = group;
    int result = io_uring_register_buf_ring(&r->ring, &registration, 0);
    if (result < 0) {
        munmap(memory, entries * sizeof(struct io_uring_buf));
        return result;
    }
    g->ring = memory;
    g->entries = entries;
    io_uring_buf_ring_init(g->ring);
    return 0;
}

int curing_open_files(struct curing_ring *r, uint32_t entries) {
    return io_uring_register_files_sparse(&r->ring, entries);
}

// Submits what was prepared last, and finds its result. What is submitted early with it finds its
// buffers all the same.
static int submit_at_once(struct curing_ring *r, uint64_t token) {
    curing_commit_buffers(r);
    uint32_t seen = curing_completion_tail(r);
    int result = curing_submit(r);
    if (result < 0) return result;
    for (uint32_t i = seen; i != curing_completion_tail(r); i++) {
        struct io_uring_cqe *cqe = &r->ring.cq.cqes[i & r->ring.cq.ring_mask];
        if (cqe->user_data != token) continue;
        result = cqe->res;
        cqe->res = -ECANCELED;
        return result;
    }
    return -EBUSY;
}

int curing_install(struct curing_ring *r, uint32_t slot, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_rw(CURING_OP_FIXED_FD_INSTALL, sqe, (int)slot, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    return submit_at_once(r, token);
}

int curing_socket(struct curing_ring *r, int family, uint64_t token) {
    struct io_uring_sqe *sqe = curing_next(r, token);
    io_uring_prep_rw(IORING_OP_SOCKET, sqe, family, NULL, 0, SOCK_STREAM);
    sqe->file_index = IORING_FILE_INDEX_ALLOC;
    return submit_at_once(r, token);
}

static int receive_probe_byte(struct curing_ring *r, const int pair[2]) {
    static char byte;
    curing_provide(r, CURING_BUFFER_GROUPS - 1, &byte, 1, 0);
    curing_commit_buffers(r);
    curing_receive(r, pair[0], CURING_BUFFER_GROUPS - 1, true, 0);
    if (write(pair[1], "x", 1) != 1) return -errno;
    int result;
    // A signal, or a shortage of the moment, says nothing about the kernel.
    int attempts = 3;
    do result = curing_enter(r, 1, 1000000000);
    while ((result == -EINTR || result == -EAGAIN || result == -EBUSY) && --attempts > 0);
    if (result < 0) return result;
    uint32_t head = curing_completion_head(r);
    if (head == curing_completion_tail(r)) return -EIO;
    return curing_completion_at(r, head).result;
}

int curing_probe_multishot(struct curing_ring *r) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    int result = curing_open_group(r, CURING_BUFFER_GROUPS - 1, 1);
    if (result == 0) result = receive_probe_byte(r, pair);
    close(pair[0]);
    close(pair[1]);
    return result < 0 ? result : 0;
}
