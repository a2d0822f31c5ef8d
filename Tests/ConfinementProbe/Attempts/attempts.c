// Attempts: see attempts.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "attempts.h"

#include <CURing.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { sockets_max = 16 };

static struct curing_ring ring;
// Sockets that were made before: who may make none may still try to connect one.
static int sockets[sockets_max];
static int next_socket;

static struct sockaddr_in loopback(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

int attempt_prepare(void) {
    for (int i = 0; i < sockets_max; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sockets[i] < 0) return -errno;
    }
    return 0;
}

static int start_program(void) {
    char *arguments[] = {"nothing", NULL};
    // Where executing is allowed, it fails for want of the file.
    execve("/nothing-has-this-name", arguments, NULL);
    return -errno;
}

static int start_process(void) {
    long process = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (process == 0) _exit(0);
    if (process > 0) waitpid((pid_t)process, NULL, 0);
    return process < 0 ? -errno : 0;
}

static int map_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (page == MAP_FAILED) return -errno;
    munmap(page, 4096);
    return 0;
}

static int connect_to(uint16_t port) {
    struct sockaddr_in address = loopback(port);
    int fd = sockets[next_socket++ % sockets_max];
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int bind_to(uint16_t port) {
    struct sockaddr_in address = loopback(port);
    int fd = sockets[next_socket++ % sockets_max];
    return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int new_ring(void) {
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    int fd = (int)syscall(SYS_io_uring_setup, 4, &parameters);
    if (fd < 0) return -errno;
    close(fd);
    return 0;
}

// Closes what came of an attempt.
static int closed(int fd) {
    int result = fd < 0 ? -errno : 0;
    if (fd >= 0) close(fd);
    return result;
}

int attempt_call(const char *name, uint16_t port, const char *path) {
    if (!strcmp(name, "read")) return closed(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    if (!strcmp(name, "write")) return closed(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!strcmp(name, "exec")) return start_program();
    if (!strcmp(name, "fork")) return start_process();
    if (!strcmp(name, "code")) return map_code();
    if (!strcmp(name, "socket")) return closed(socket(AF_INET, SOCK_STREAM, 0));
    if (!strcmp(name, "datagram")) return closed(socket(AF_INET, SOCK_DGRAM, 0));
    if (!strcmp(name, "packet")) return closed(socket(AF_PACKET, SOCK_RAW, 0));
    if (!strcmp(name, "connect")) return connect_to(port);
    if (!strcmp(name, "bind")) return bind_to(port);
    if (!strcmp(name, "ring")) return new_ring();
    if (!strcmp(name, "trace")) return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? -errno : 0;
    if (!strcmp(name, "namespace")) return syscall(SYS_unshare, 0x10000000) < 0 ? -errno : 0;
    if (!strcmp(name, "signal")) return kill(getppid(), 0) < 0 ? -errno : 0;
    if (!strcmp(name, "unknown")) return syscall(900) < 0 ? -errno : 0;
    if (!strcmp(name, "root")) return setuid(0) < 0 ? -errno : 0;
    return -EINVAL;
}

int attempt_open_ring(bool restricted, bool connects) {
    struct curing_options options = {8, 16, 0, restricted};
    int result = curing_open(&ring, &options);
    if (result == 0) result = curing_open_group(&ring, 0, 8);
    if (result < 0 || !restricted) return result;
    struct curing_restriction restriction = {.connects = connects};
    return curing_restrict(&ring, &restriction);
}

int attempt_by_ring(const char *name, uint16_t port, const char *path) {
    if (!strcmp(name, "register")) {
        int fd = STDOUT_FILENO;
        int number = ring.ring.ring_fd;
        long result = syscall(SYS_io_uring_register, number, IORING_REGISTER_FILES, &fd, 1);
        return result < 0 ? -errno : 0;
    }
    struct sockaddr_in address = loopback(port);
    bool opens = true;
    struct io_uring_sqe *sqe = curing_next(&ring, 1);
    if (!strcmp(name, "read"))
        io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
    else if (!strcmp(name, "write"))
        io_uring_prep_openat(sqe, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
    else if (!strcmp(name, "socket"))
        io_uring_prep_rw(IORING_OP_SOCKET, sqe, AF_INET, NULL, 0, SOCK_STREAM);
    else {
        opens = false;
        int fd = sockets[next_socket++ % sockets_max];
        io_uring_prep_connect(sqe, fd, (struct sockaddr *)&address, sizeof address);
        if (!strcmp(name, "connect-aside")) sqe->flags |= IOSQE_ASYNC;
    }
    sqe->user_data = 1;
    int result = curing_enter(&ring, 1, 5000000000);
    if (result < 0) return result;
    uint32_t head = curing_completion_head(&ring);
    if (head == curing_completion_tail(&ring)) return -EIO;
    result = curing_completion_at(&ring, head).result;
    curing_completion_advance(&ring, head + 1);
    if (opens && result >= 0) close(result);
    return result < 0 ? result : 0;
}
