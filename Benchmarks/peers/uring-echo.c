// A minimal io_uring echo server in C, on system calls alone: it tries what newer kernels offer,
// each thing behind a switch, before anything is built on it in the engine (Linux 6.18).
//
// One thread, one ring (SINGLE_ISSUER, DEFER_TASKRUN), multishot accept and receive, one ring of
// provided buffers, one send at a time for a connection, one io_uring_enter a turn. A yardstick:
// no back-pressure, no orderly stop, no counters, and allocations are not checked.
//
// Usage: uring-echo PORT [SWITCH...]
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// What Debian 12's header (Linux 6.1) lacks.
#define SETUP_NO_SQARRAY (1U << 16)           // 6.6
#define ENTER_EXT_ARG_REG (1U << 6)           // 6.13
#define ENTER_NO_IOWAIT (1U << 7)             // 6.15
#define REGISTER_MEM_REGION 34                // 6.13
#define MEM_REGION_USER 1                     // io_uring_region_desc.flags
#define MEM_REGION_WAIT_ARG 1                 // io_uring_mem_region_reg.flags
#define WAIT_HAS_TIME 1                       // io_uring_reg_wait.flags
#define RECVSEND_BUNDLE (1U << 4)             // 6.10
#define BUFFER_RING_INCREMENTAL 2             // 6.12
#define CQE_BUFFER_MORE (1U << 4)             // 6.12

struct region {
    uint64_t address, bytes;
    uint32_t flags, id;
    uint64_t mmap_offset, reserved[4];
};
struct region_registration {
    uint64_t region, flags, reserved[2];
};
struct registered_wait {
    struct __kernel_timespec time;
    uint32_t min_wait_us, flags;
    uint64_t signals;
    uint32_t signals_bytes, padding[3];
    uint64_t padding2[2];
};

static struct {
    bool no_sqarray, registered_wait, bundle, incremental, park, zero_copy;
    uint32_t buffers, buffer_bytes;
} with = {.buffers = 1024, .buffer_bytes = 64 * 1024};

// ---- the ring ----

enum { SUBMISSIONS = 4096, COMPLETIONS = 16384, VECTOR_PIECES = 16 };

static int ring;
static struct io_uring_sqe *entries;
static uint32_t *sq_tail_shared, *sq_array, *cq_head_shared, *cq_tail_shared;
static struct io_uring_cqe *completions;
static uint32_t sq_tail, sq_submitted, sq_mask, cq_mask;
static struct registered_wait *wait_arguments;

static long check(const char *call, long result) {
    if (result >= 0) return result;
    fprintf(stderr, "uring-echo: %s: %s\n", call, strerror(errno));
    exit(1);
}

static long registering(unsigned what, void *argument, unsigned count) {
    return check("io_uring_register", syscall(__NR_io_uring_register, ring, what, argument, count));
}

static void open_ring(void) {
    struct io_uring_params p = {.cq_entries = COMPLETIONS};
    p.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
              IORING_SETUP_DEFER_TASKRUN;
    if (with.no_sqarray) p.flags |= SETUP_NO_SQARRAY;
    // A region of arguments is registered before the ring is in use.
    if (with.registered_wait) p.flags |= IORING_SETUP_R_DISABLED;
    ring = (int)check("io_uring_setup", syscall(__NR_io_uring_setup, SUBMISSIONS, &p));
    // Both queues and the array of indices lie in one mapping (Linux 5.4).
    size_t bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe) +
                   p.sq_entries * sizeof(uint32_t);
    char *rings = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
                       IORING_OFF_SQ_RING);
    check("mmap", rings == MAP_FAILED ? -1 : 0);
    entries = mmap(NULL, p.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    check("mmap", entries == MAP_FAILED ? -1 : 0);
    sq_tail_shared = (uint32_t *)(rings + p.sq_off.tail);
    sq_array = with.no_sqarray ? NULL : (uint32_t *)(rings + p.sq_off.array);
    cq_head_shared = (uint32_t *)(rings + p.cq_off.head);
    cq_tail_shared = (uint32_t *)(rings + p.cq_off.tail);
    completions = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
    sq_mask = p.sq_entries - 1;
    cq_mask = p.cq_entries - 1;
    if (!with.registered_wait) return;
    wait_arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct region region = {
        .address = (uint64_t)wait_arguments, .bytes = 4096, .flags = MEM_REGION_USER};
    struct region_registration registration = {
        .region = (uint64_t)&region, .flags = MEM_REGION_WAIT_ARG};
    registering(REGISTER_MEM_REGION, &registration, 1);
    registering(IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

// Submits what was prepared and waits for a completion, at most a tenth of a second: a server with
// timers never waits without a limit.
static void turn_ring(void) {
    __atomic_store_n(sq_tail_shared, sq_tail, __ATOMIC_RELEASE);
    struct __kernel_timespec tenth = {.tv_nsec = 100000000};
    struct io_uring_getevents_arg timed = {.ts = (uint64_t)&tenth};
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | ENTER_NO_IOWAIT;
    long result;
    if (with.registered_wait) {
        wait_arguments->time = tenth;
        wait_arguments->flags = WAIT_HAS_TIME;
        result = syscall(__NR_io_uring_enter, ring, sq_tail - sq_submitted, 1,
                         flags | ENTER_EXT_ARG_REG, 0L, sizeof *wait_arguments);
    } else {
        result = syscall(__NR_io_uring_enter, ring, sq_tail - sq_submitted, 1, flags, &timed,
                         sizeof timed);
    }
    if (result < 0 && errno != ETIME && errno != EINTR) check("io_uring_enter", result);
    sq_submitted = sq_tail;
}

enum kind { ACCEPT, RECEIVE, SEND, POLL };

static struct io_uring_sqe *prepare(int opcode, int fd, enum kind kind, uint32_t index) {
    if (sq_tail - sq_submitted > sq_mask) turn_ring();
    struct io_uring_sqe *entry = &entries[sq_tail & sq_mask];
    if (sq_array != NULL) sq_array[sq_tail & sq_mask] = sq_tail & sq_mask;
    sq_tail++;
    memset(entry, 0, sizeof *entry);
    entry->opcode = (uint8_t)opcode;
    entry->fd = fd;
    entry->user_data = (uint64_t)index << 8 | kind;
    return entry;
}

// ---- buffers ----

// A piece of a buffer that waits to be sent, or is being sent.
struct piece {
    uint32_t next, bytes;
    char *start;
    uint16_t buffer;
};

static struct io_uring_buf_ring *buffer_ring;
static char *storage;
static uint16_t buffer_tail;
static struct piece *pieces;
static uint32_t free_piece;
// For each buffer: pieces not sent yet, one while the kernel may still fill it; how far it is full.
static uint32_t *holders, *filled;
// Which buffers are offered, in order: a bundle fills those that follow each other.
static uint16_t *offered;
static uint16_t taken;

static void offer(uint16_t buffer) {
    struct io_uring_buf *slot = &buffer_ring->bufs[buffer_tail & (with.buffers - 1)];
    slot->addr = (uint64_t)(storage + (size_t)buffer * with.buffer_bytes);
    slot->len = with.buffer_bytes;
    slot->bid = buffer;
    offered[buffer_tail & (with.buffers - 1)] = buffer;
    holders[buffer] = 1;
    filled[buffer] = 0;
    buffer_tail++;
}

static void release(uint16_t buffer) {
    if (--holders[buffer] == 0) offer(buffer);
}

static void open_buffers(void) {
    size_t bytes = with.buffers * sizeof(struct io_uring_buf);
    buffer_ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    storage = mmap(NULL, (size_t)with.buffers * with.buffer_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)buffer_ring, .ring_entries = with.buffers};
    // The field was padding in Linux 6.1.
    uint16_t flags = with.incremental ? BUFFER_RING_INCREMENTAL : 0;
    memcpy((char *)&registration + 14, &flags, sizeof flags);
    registering(IORING_REGISTER_PBUF_RING, &registration, 1);
    offered = calloc(with.buffers, sizeof *offered);
    holders = calloc(with.buffers, sizeof *holders);
    filled = calloc(with.buffers, sizeof *filled);
    for (uint32_t i = 0; i < with.buffers; i++) offer((uint16_t)i);
    enum { PIECES = 1 << 20 };
    pieces = calloc(PIECES, sizeof *pieces);
    for (uint32_t i = 1; i + 1 < PIECES; i++) pieces[i].next = i + 1;
    free_piece = 1;
}

// ---- connections ----

struct connection {
    int fd;
    uint32_t first, last;  // pieces that wait; 0: none
    uint32_t sending;      // pieces in the send that is under way
    uint32_t notices;      // zero-copy sends whose buffers the kernel still reads
    bool is_receiving, has_finished;
    struct msghdr header;
    struct iovec vector[VECTOR_PIECES];
};

static struct connection connections[20000];
static uint32_t starved[20000], starved_count;

static void arm(uint32_t index) {
    struct connection *c = &connections[index];
    struct io_uring_sqe *entry = prepare(IORING_OP_RECV, c->fd, RECEIVE, index);
    entry->flags = IOSQE_BUFFER_SELECT;
    if (!with.park) entry->ioprio = IORING_RECV_MULTISHOT;
    if (with.bundle) entry->ioprio |= RECVSEND_BUNDLE;
    c->is_receiving = true;
}

// What an idle connection waits in: a poll, which is smaller than a receive in the kernel.
static void park(uint32_t index) {
    struct io_uring_sqe *entry = prepare(IORING_OP_POLL_ADD, connections[index].fd, POLL, index);
    entry->poll32_events = POLLIN | POLLRDHUP;
    connections[index].is_receiving = true;
}

static void send_what_waits(uint32_t index) {
    struct connection *c = &connections[index];
    uint32_t count = 0;
    for (uint32_t i = c->first; i != 0 && count < VECTOR_PIECES; i = pieces[i].next)
        c->vector[count++] = (struct iovec){pieces[i].start, pieces[i].bytes};
    c->sending = count;
    struct io_uring_sqe *entry;
    if (with.zero_copy || count == 1) {
        c->sending = 1;
        entry = prepare(with.zero_copy ? IORING_OP_SEND_ZC : IORING_OP_SEND, c->fd, SEND, index);
        entry->addr = (uint64_t)c->vector[0].iov_base;
        entry->len = (uint32_t)c->vector[0].iov_len;
    } else {
        c->header = (struct msghdr){.msg_iov = c->vector, .msg_iovlen = count};
        entry = prepare(IORING_OP_SENDMSG, c->fd, SEND, index);
        entry->addr = (uint64_t)&c->header;
        entry->len = 1;
    }
    entry->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

static void end_if_done(uint32_t index) {
    struct connection *c = &connections[index];
    if (!c->has_finished || c->is_receiving || c->first != 0 || c->notices != 0) return;
    close(c->fd);
    c->fd = -1;
}

static void append(struct connection *c, uint16_t buffer, uint32_t bytes) {
    uint32_t i = free_piece;
    free_piece = pieces[i].next;
    char *start = storage + (size_t)buffer * with.buffer_bytes + filled[buffer];
    pieces[i] = (struct piece){.bytes = bytes, .start = start, .buffer = buffer};
    filled[buffer] += bytes;
    holders[buffer]++;
    if (c->first == 0)
        c->first = i;
    else
        pieces[c->last].next = i;
    c->last = i;
}

static void take_received(uint32_t index, const struct io_uring_cqe *completion) {
    struct connection *c = &connections[index];
    bool goes_on = completion->flags & IORING_CQE_F_MORE;
    if (!goes_on) c->is_receiving = false;
    if (completion->res > 0) {
        uint32_t left = (uint32_t)completion->res;
        bool keeps = completion->flags & CQE_BUFFER_MORE;
        // Buffers are used in the order in which they were offered.
        while (left > 0) {
            uint16_t buffer = offered[taken & (with.buffers - 1)];
            uint32_t room = with.buffer_bytes - filled[buffer];
            uint32_t bytes = left < room ? left : room;
            append(c, buffer, bytes);
            left -= bytes;
            if (keeps && left == 0) break;
            taken++;
            release(buffer);
        }
        if (c->sending == 0) send_what_waits(index);
        if (!goes_on && !with.park) arm(index);
    } else if (completion->res == -ENOBUFS) {
        starved[starved_count++] = index;
    } else {
        c->has_finished = true;
        end_if_done(index);
    }
}

static void take_sent(uint32_t index, const struct io_uring_cqe *completion) {
    struct connection *c = &connections[index];
    if (completion->flags & IORING_CQE_F_NOTIF) {
        c->notices--;
    } else {
        if (completion->flags & IORING_CQE_F_MORE) c->notices++;
        if (completion->res < 0) shutdown(c->fd, SHUT_RDWR);
    }
    // A buffer sent without being copied is the kernel's until it says so.
    if (c->notices != 0) return;
    for (; c->sending > 0; c->sending--) {
        uint32_t i = c->first;
        c->first = pieces[i].next;
        release(pieces[i].buffer);
        pieces[i].next = free_piece;
        free_piece = i;
    }
    if (c->first != 0) return send_what_waits(index);
    if (with.park && !c->is_receiving && !c->has_finished) park(index);
    end_if_done(index);
}

static void take(const struct io_uring_cqe *completion) {
    uint32_t index = (uint32_t)(completion->user_data >> 8);
    switch ((enum kind)(completion->user_data & 0xff)) {
    case ACCEPT:
        check("accept", completion->res);
        connections[completion->res] = (struct connection){.fd = completion->res};
        with.park ? park((uint32_t)completion->res) : arm((uint32_t)completion->res);
        break;
    case POLL: arm(index); break;
    case RECEIVE: take_received(index, completion); break;
    case SEND: take_sent(index, completion); break;
    }
}

static int listen_on(uint16_t port) {
    int fd = (int)check("socket", socket(AF_INET, SOCK_STREAM, 0));
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    check("bind", bind(fd, (struct sockaddr *)&address, sizeof address));
    check("listen", listen(fd, 4096));
    return fd;
}

static void read_switches(char **switches) {
    struct {
        const char *name;
        bool *is_on;
    } known[] = {
        {"no-sqarray", &with.no_sqarray}, {"registered-wait", &with.registered_wait},
        {"bundle", &with.bundle},         {"incremental", &with.incremental},
        {"park", &with.park},             {"zero-copy", &with.zero_copy},
    };
    for (; *switches != NULL; switches++) {
        bool is_known = sscanf(*switches, "buffers=%u", &with.buffers) == 1 ||
                        sscanf(*switches, "buffer-bytes=%u", &with.buffer_bytes) == 1;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strcmp(*switches, known[i].name) == 0) is_known = *known[i].is_on = true;
        if (is_known) continue;
        fprintf(stderr, "uring-echo: no switch '%s'\n", *switches);
        exit(2);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: uring-echo PORT [no-sqarray] [registered-wait] [bundle] "
                        "[incremental] [park] [zero-copy] [buffers=N] [buffer-bytes=N]\n");
        return 2;
    }
    read_switches(argv + 2);
    open_ring();
    open_buffers();
    struct io_uring_sqe *entry = prepare(IORING_OP_ACCEPT, listen_on((uint16_t)atoi(argv[1])),
                                         ACCEPT, 0);
    entry->ioprio = IORING_ACCEPT_MULTISHOT;
    entry->accept_flags = SOCK_CLOEXEC;
    for (;;) {
        __atomic_store_n(&buffer_ring->tail, buffer_tail, __ATOMIC_RELEASE);
        turn_ring();
        uint32_t head = *cq_head_shared;
        uint32_t tail = __atomic_load_n(cq_tail_shared, __ATOMIC_ACQUIRE);
        for (; head != tail; head++) take(&completions[head & cq_mask]);
        __atomic_store_n(cq_head_shared, head, __ATOMIC_RELEASE);
        while (starved_count > 0) arm(starved[--starved_count]);
    }
}
