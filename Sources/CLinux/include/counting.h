// Counting: what the kernel counts for a thread on behalf of another (perf_event_open(2)). As in
// CLinux.h, failure is -errno.
#ifndef CLINUX_COUNTING_H
#define CLINUX_COUNTING_H

#include <stdint.h>

/// The number of the tracepoint that every system call of a thread passes, raw_syscalls:sys_enter.
int clinux_system_call_tracepoint(void);
/// Counts how often a thread, and those that it starts from now on, pass a tracepoint. Returns a
/// descriptor.
int clinux_count_tracepoint(int thread, int tracepoint);
/// How often they have passed it.
int clinux_read_count(int fd, uint64_t *count);

#endif
