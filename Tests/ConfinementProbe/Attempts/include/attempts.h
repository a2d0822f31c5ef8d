// Attempts: what whoever has taken over a thread would try, by system calls and by a ring that was
// there before. Each returns what the kernel said: a count, a descriptor, or -errno.
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

/// Tries a call by the name of the attempt; -EINVAL where there is no such attempt.
/// `port` is what is connected to, `path` what is written to.
int attempt_call(const char *name, uint16_t port, const char *path);

/// Opens the ring that the others use, as the engine opens its own, restricted or not.
int attempt_open_ring(bool restricted, bool connects);
/// Tries it through the ring.
int attempt_by_ring(const char *name, uint16_t port, const char *path);
/// Opens what is connected through, while that can be done.
int attempt_prepare(void);

#endif
