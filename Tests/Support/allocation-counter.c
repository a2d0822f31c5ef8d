// Counts heap allocations by thread, from outside: loaded with LD_PRELOAD into the release server.
// The counts lie in the file that ALLOCATION_COUNTER_FILE names, mapped and shared, so that a test
// can read them while the server runs.
//
// The file is an array of {uint64_t thread id, uint64_t allocations}.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { slots_max = 256 };

struct slot {
    _Atomic uint64_t thread;
    _Atomic uint64_t count;
};

static struct slot *slots;
static atomic_int used;
static _Thread_local struct slot *mine;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("ALLOCATION_COUNTER_FILE");
    if (path == NULL) return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, slots_max * sizeof(struct slot)) < 0) return;
    size_t bytes = slots_max * sizeof(struct slot);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED) slots = memory;
}

static void count(void) {
    if (slots == NULL) return;
    if (mine == NULL) {
        int index = atomic_fetch_add(&used, 1);
        if (index >= slots_max) return;
        mine = &slots[index];
        mine->thread = (uint64_t)syscall(SYS_gettid);
    }
    atomic_fetch_add(&mine->count, 1);
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    count();
    *result = __libc_memalign(alignment, size);
    return *result == NULL ? ENOMEM : 0;
}
