// Counting: see counting.h. The number of a tracepoint is in a file of tracefs, which many machines
// have not mounted. It is mounted here for this process alone: fsmount(2) makes a mount that is in
// no folder, and that goes with its descriptor.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "counting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACEPOINT "events/raw_syscalls/sys_enter/id"

static int read_number(int folder, const char *path) {
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    char text[16] = {0};
    ssize_t n = read(fd, text, sizeof text - 1);
    int error = errno;
    close(fd);
    return n < 0 ? -error : atoi(text);
}

static int read_number_from_own_mount(void) {
    int context = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    int result = 0;
    if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) result = -errno;
    if (result == 0) {
        int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
        result = mount < 0 ? -errno : read_number(mount, TRACEPOINT);
        if (mount >= 0) close(mount);
    }
    close(context);
    return result;
}

int clinux_system_call_tracepoint(void) {
    int number = read_number(AT_FDCWD, "/sys/kernel/tracing/" TRACEPOINT);
    if (number == -ENOENT) number = read_number(AT_FDCWD, "/sys/kernel/debug/tracing/" TRACEPOINT);
    if (number == -ENOENT) number = read_number_from_own_mount();
    return number;
}

int clinux_count_tracepoint(int thread, int tracepoint) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof attributes,
        .config = (uint64_t)tracepoint,
        .inherit = 1,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int clinux_read_count(int fd, uint64_t *count) {
    ssize_t n = read(fd, count, sizeof *count);
    return n < 0 ? -errno : n == sizeof *count ? 0 : -EIO;
}
