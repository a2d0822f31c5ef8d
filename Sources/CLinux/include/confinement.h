// Confinement: what a process gives up for good: its user, its capabilities, system calls
// (seccomp(2)), files and ports (landlock(7)). As in CLinux.h, failure is -errno. Headers of 2022
// do not know what newer kernels have, so numbers of the kernel's interface are written out.
#ifndef CLINUX_CONFINEMENT_H
#define CLINUX_CONFINEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- who the process is ----

/// What the databases say of a user: its number, its group, its name.
struct clinux_user {
    uint32_t user;
    uint32_t group;
    char name[256];
};

/// Finds a user by its name, or by its number where `name` is NULL (getpwnam(3)). -ENOENT where
/// there is none.
int clinux_find_user(const char *name, uint32_t number, struct clinux_user *found);
/// Finds a group's number by its name (getgrnam(3)). -ENOENT where there is none.
int clinux_find_group(const char *name, uint32_t *number);
/// Becomes a user of a group, in all threads of the process. The other groups are those of the user
/// called `groups_of`, or none where that is NULL. What cannot be undone is tried to be undone:
/// -EPERM where it can.
int clinux_become(uint32_t user, uint32_t group, const char *groups_of);

/// Gives up every capability of the calling thread, those that it could get again by execve(2)
/// among them (capabilities(7)).
int clinux_drop_capabilities(void);
/// The capabilities that the calling thread may use now, a bit for each.
int clinux_effective_capabilities(uint64_t *bits);
/// Has no execve(2) of the calling thread, and of those it starts, bring new privileges.
int clinux_no_new_privileges(void);
/// Has the process be allowed to lock as much memory as before it gave up being root.
int clinux_unlimit_locked_memory(void);

// ---- system calls ----

/// An instruction of a filter, as the kernel wants it (struct sock_filter).
struct clinux_instruction {
    uint16_t code;
    uint8_t jump_true;
    uint8_t jump_false;
    uint32_t value;
};

/// The number of a system call here, or -1 where this architecture has none of that name.
int clinux_call_number(const char *name);
/// The value by which filters know this architecture (AUDIT_ARCH_...).
uint32_t clinux_architecture(void);
/// Whether the kernel has filters that refuse with an error (Linux 4.14): 0 or -errno.
int clinux_probe_filters(void);
/// Puts a filter upon the calling thread, and those that it starts from now on.
int clinux_install_filter(const struct clinux_instruction *instructions, uint16_t count);

// ---- files and ports ----

/// The version of Landlock's interface, or -errno: -ENOSYS, or -EOPNOTSUPP where it is switched
/// off.
int clinux_landlock_version(void);
/// A set of rules: what is handled is refused but for what is then allowed. Returns a descriptor.
int clinux_landlock_create(uint64_t file_rights, uint64_t port_rights);
/// Allows something at a path and below. -ENOENT where there is none.
int clinux_landlock_allow_path(int rules, const char *path, uint64_t rights);
/// Allows something with a port.
int clinux_landlock_allow_port(int rules, uint16_t port, uint64_t rights);
/// Holds the calling thread, and those that it starts from now on, to the rules. -E2BIG where it is
/// held to 16 sets already.
int clinux_landlock_restrict(int rules);

#endif
