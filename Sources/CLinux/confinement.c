// Confinement: see confinement.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESULT(call) ((call) < 0 ? -errno : 0)

int clinux_find_user(const char *name, uint32_t number, struct clinux_user *found) {
    // getpwnam_r(3) wants to be told how much room to take; this is called once.
    errno = 0;
    struct passwd *entry = name != NULL ? getpwnam(name) : getpwuid(number);
    if (entry == NULL) return errno == 0 ? -ENOENT : -errno;
    if (strlen(entry->pw_name) >= sizeof found->name) return -ENAMETOOLONG;
    found->user = entry->pw_uid;
    found->group = entry->pw_gid;
    strcpy(found->name, entry->pw_name);
    return 0;
}

int clinux_find_group(const char *name, uint32_t *number) {
    errno = 0;
    struct group *entry = getgrnam(name);
    if (entry == NULL) return errno == 0 ? -ENOENT : -errno;
    *number = entry->gr_gid;
    return 0;
}

int clinux_become(uint32_t user, uint32_t group, const char *groups_of) {
    // No execve(2) can bring back what is not in the bounding set (capabilities(7)).
    for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
        prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    int result = groups_of != NULL ? initgroups(groups_of, group) : setgroups(0, NULL);
    if (result < 0 || setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0)
        return -errno;
    // Whoever can become root again has given up nothing.
    if (setuid(0) == 0 || (group != 0 && setgid(0) == 0) || getuid() != user || geteuid() != user)
        return -EPERM;
    return 0;
}

static int set_capabilities(const struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return RESULT(syscall(SYS_capset, &header, data));
}

int clinux_drop_capabilities(void) {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_data_struct none[2] = {{0}};
    return set_capabilities(none);
}

int clinux_effective_capabilities(uint64_t *bits) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -errno;
    *bits = (uint64_t)data[1].effective << 32 | data[0].effective;
    return 0;
}

int clinux_no_new_privileges(void) { return RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

int clinux_unlimit_locked_memory(void) {
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    return RESULT(setrlimit(RLIMIT_MEMLOCK, &limit));
}

uint32_t clinux_architecture(void) {
#if defined(__x86_64__)
    return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    return AUDIT_ARCH_AARCH64;
#else
#error "this architecture has no filters yet"
#endif
}

int clinux_probe_filters(void) {
    uint32_t action = SECCOMP_RET_ERRNO;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return 0;
    // A container's own filter may keep that from us, and leave us the older way. Without filters
    // the kernel refuses the mode before it looks at the address.
    if (errno != ENOSYS && errno != EPERM) return -errno;
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0);
    return errno == EFAULT ? 0 : -errno;
}

int clinux_install_filter(const struct clinux_instruction *instructions, uint16_t count) {
    struct {
        uint16_t count;
        const struct clinux_instruction *instructions;
    } program = {count, instructions};
    // SPEC_ALLOW (Linux 4.17): older kernels otherwise slow the processor down for whoever has a
    // filter, for the sake of programs that run foreign code.
    unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0) return 0;
    return RESULT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

// landlock(7): the calls have the same numbers everywhere.
enum { landlock_create_ruleset = 444, landlock_add_rule = 445, landlock_restrict_self = 446 };

int clinux_landlock_version(void) {
    // LANDLOCK_CREATE_RULESET_VERSION
    long version = syscall(landlock_create_ruleset, NULL, 0, 1U);
    return version < 0 ? -errno : (int)version;
}

int clinux_landlock_create(uint64_t file_rights, uint64_t port_rights) {
    struct {
        uint64_t files, ports;
    } handled = {file_rights, port_rights};
    // What an old kernel does not know of must not be there, or be 0.
    long fd = syscall(landlock_create_ruleset, &handled, sizeof handled, 0U);
    return fd < 0 ? -errno : (int)fd;
}

int clinux_landlock_allow_path(int rules, const char *path, uint64_t rights) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct {
        uint64_t rights;
        int32_t folder;
    } __attribute__((packed)) rule = {rights, fd};
    struct stat status;
    // What is said of a folder's entries cannot be said of a file: all but EXECUTE, WRITE_FILE,
    // READ_FILE, TRUNCATE and IOCTL_DEV.
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) rule.rights &= 0xC007;
    // LANDLOCK_RULE_PATH_BENEATH
    int result = RESULT(syscall(landlock_add_rule, rules, 1, &rule, 0U));
    close(fd);
    return result;
}

int clinux_landlock_allow_port(int rules, uint16_t port, uint64_t rights) {
    struct {
        uint64_t rights, port;
    } rule = {rights, port};
    // LANDLOCK_RULE_NET_PORT
    return RESULT(syscall(landlock_add_rule, rules, 2, &rule, 0U));
}

int clinux_landlock_restrict(int rules) {
    return RESULT(syscall(landlock_restrict_self, rules, 0U));
}
