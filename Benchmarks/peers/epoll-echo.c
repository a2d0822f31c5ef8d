// A minimal epoll echo server in C: the yardstick for both backends of ringback.
//
// One thread, edge-triggered, one EPOLL_CTL_ADD a connection, one 64 KiB buffer for all, written at
// once. What a socket does not take waits in a buffer of its connection's own, and reading stops
// until it has left. It closes when the client has finished and everything was echoed.
//
// Usage: epoll-echo PORT [BUFFER_BYTES]
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    bool peer_finished;
    char *pending;
    size_t pending_start, pending_end;
};

static char *buffer;
static size_t buffer_bytes = 64 * 1024;

static void end(struct connection *c) {
    close(c->fd);
    free(c->pending);
    free(c);
}

// Sends what waits. Returns false where the socket is full or the connection has ended.
static bool flush(struct connection *c) {
    while (c->pending_start < c->pending_end) {
        ssize_t n = send(c->fd, c->pending + c->pending_start, c->pending_end - c->pending_start,
                         MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN) end(c);
            return false;
        }
        c->pending_start += (size_t)n;
    }
    free(c->pending);
    c->pending = NULL;
    c->pending_start = c->pending_end = 0;
    return true;
}

static void work(struct connection *c, uint32_t events) {
    if (c->pending != NULL && !flush(c)) return;
    for (;;) {
        ssize_t n = recv(c->fd, buffer, buffer_bytes, 0);
        if (n == 0) return end(c);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) end(c);
            return;
        }
        ssize_t sent = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return end(c);
        if (sent < 0) sent = 0;
        if (sent < n) {
            c->pending = malloc((size_t)(n - sent));
            memcpy(c->pending, buffer + sent, (size_t)(n - sent));
            c->pending_end = (size_t)(n - sent);
            return;
        }
        // A short read has emptied the socket, unless its end has been reported as well.
        if ((size_t)n < buffer_bytes && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    }
}

static int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0) {
        perror("epoll-echo");
        exit(1);
    }
    return fd;
}

static void accept_all(int epoll, int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: epoll-echo PORT [BUFFER_BYTES]\n");
        return 2;
    }
    if (argc > 2) buffer_bytes = (size_t)atol(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    buffer = malloc(buffer_bytes);
    int listener = listen_on((uint16_t)atoi(argv[1]));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    struct epoll_event events[512];
    for (;;) {
        int n = epoll_wait(epoll, events, 512, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(epoll, listener);
            else
                work(events[i].data.ptr, events[i].events);
        }
    }
}
