// A minimal load generator on epoll: what the cost of `ringload rr` is held against.
//
//     epoll-client PORT CONNECTIONS BYTES SECONDS
//
// One thread, a closed loop with one request under way on each connection of 127.0.0.1. It does
// what measuring takes and nothing else: a clock reading for each request and each response, and a
// count in a table of latencies. After a warm-up of half a second it measures, and prints messages,
// messages per second, CPU nanoseconds per message, and the median latency in nanoseconds.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 20000, BYTES_MAX = 1 << 20, EVENTS = 512, BUCKETS = 64 << 5 };

static struct {
    uint64_t sent_at;
    int received;
} connections[CONNECTIONS_MAX];
static char request[BYTES_MAX], response[BYTES_MAX];
static uint64_t latencies[BUCKETS];
static uint64_t messages;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// 32 buckets for each doubling.
static unsigned bucket(uint64_t value) {
    if (value < 32) return (unsigned)value;
    unsigned shift = 58 - (unsigned)__builtin_clzll(value);
    return (shift + 1) << 5 | (unsigned)(value >> shift & 31);
}

static void send_request(int fd, int index, int bytes) {
    connections[index].received = 0;
    connections[index].sent_at = nanoseconds(CLOCK_MONOTONIC);
    // A request of this size always fits: nothing else is under way.
    if (send(fd, request, (size_t)bytes, MSG_NOSIGNAL) != bytes) fail("send");
}

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) fail("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void run(int poll, const int *fds, int bytes, uint64_t end) {
    struct epoll_event events[EVENTS];
    while (nanoseconds(CLOCK_MONOTONIC) < end) {
        int count = epoll_wait(poll, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            int index = events[i].data.fd, fd = fds[index];
            ssize_t result = recv(fd, response, sizeof response, 0);
            if (result <= 0) {
                if (result < 0 && errno == EAGAIN) continue;
                fail("recv");
            }
            connections[index].received += (int)result;
            if (connections[index].received < bytes) continue;
            uint64_t latency = nanoseconds(CLOCK_MONOTONIC) - connections[index].sent_at;
            latencies[bucket(latency)]++;
            messages++;
            send_request(fd, index, bytes);
        }
    }
}

static uint64_t median(void) {
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += latencies[i];
        if (seen * 2 >= messages) return i < 32 ? i : (uint64_t)(32 + (i & 31)) << ((i >> 5) - 1);
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: epoll-client PORT CONNECTIONS BYTES SECONDS\n");
        return 2;
    }
    int port = atoi(arguments[1]), number = atoi(arguments[2]), bytes = atoi(arguments[3]);
    double seconds = atof(arguments[4]);
    if (number < 1 || number > CONNECTIONS_MAX || bytes < 1 || bytes > BYTES_MAX) return 2;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    static int fds[CONNECTIONS_MAX];
    for (int i = 0; i < number; i++) {
        fds[i] = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = i};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &event)) fail("epoll_ctl");
    }
    for (int i = 0; i < number; i++) send_request(fds[i], i, bytes);
    run(poll, fds, bytes, nanoseconds(CLOCK_MONOTONIC) + 500000000);
    memset(latencies, 0, sizeof latencies);
    messages = 0;
    uint64_t start = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    run(poll, fds, bytes, start + (uint64_t)(seconds * 1e9));
    double elapsed = (double)(nanoseconds(CLOCK_MONOTONIC) - start);
    cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%llu %.0f %.0f %llu\n", (unsigned long long)messages, (double)messages / elapsed * 1e9,
           messages ? (double)cpu / (double)messages : 0, (unsigned long long)median());
    return 0;
}
